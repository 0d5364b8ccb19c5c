// Decisions fold into chains by cause and by subject, and a list stays ordered and bounded.
import { describe, expect, it } from "vitest";
import type { Decision } from "../src/api/types";
import { chains, end, measure, put } from "../src/live/chains";

const decision = (id: string, at: number, name: string, causes: string[] = []): Decision =>
  ({
    id,
    at,
    last_at: at,
    feature: "scheduling",
    subject: { kind: "Pod", namespace: "shop", name },
    causes,
    cause_count: causes.length,
    outcome: "Pending",
    verb: "Place",
    reason: "PodPlaced",
    sentence: name,
    count: 1,
  }) as unknown as Decision;

describe("chains", () => {
  it("joins what has a cause with its cause, and a subject with itself", () => {
    const found = chains(
      [decision("c", 3, "cart"), decision("b", 2, "node", ["a"]), decision("a", 1, "cart"), decision("x", 4, "other")],
      9,
    );
    expect(found.map((chain) => chain.decisions.map((d) => d.id))).toEqual([["x"], ["a", "b", "c"]]);
  });

  it("keeps the newest chains", () => {
    const many = Array.from({ length: 9 }, (_, at) => decision(`${at}`, at, `pod-${at}`));
    expect(chains(many, 2).map((chain) => chain.at)).toEqual([8, 7]);
  });
});

describe("the list", () => {
  it("holds each decision once, newest first, and no more than asked", () => {
    let list: Decision[] = [];
    for (const at of [2, 3, 1, 4]) list = put(list, decision(`${at}`, at, "a"), 3);
    expect(list.map((d) => d.id)).toEqual(["4", "3", "2"]);
    list = put(list, { ...decision("3", 3, "a"), count: 7 }, 3);
    expect(list.map((d) => [d.id, d.count])).toEqual([
      ["4", 1],
      ["3", 7],
      ["2", 1],
    ]);
  });

  it("learns how a decision ended and what came of it", () => {
    const list = [decision("1", 1, "a")];
    const ended = end(list, { id: "1", outcome: "Done", steps: [] });
    expect(ended[0]?.outcome).toBe("Done");
    expect(measure(ended, { id: "1", effect: { at: 2, sentence: "Running", figures: {} } })[0]?.effect?.sentence).toBe(
      "Running",
    );
    expect(end(list, { id: "2", outcome: "Done", steps: [] })).toEqual(list);
  });
});
