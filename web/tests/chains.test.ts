// Decisions fold into chains by cause and by subject, and chains that say the same of alike objects into one.
import { describe, expect, it } from "vitest";
import { alike, owner, shape, steps } from "../src/live/alike";
import { chains } from "../src/live/chains";
import { decision } from "./decision";

describe("chains", () => {
  it("join what has a cause with its cause, and a subject with itself", () => {
    const found = chains([
      decision("c", 3, "cart"),
      decision("b", 2, "node", { causes: ["a"] }),
      decision("a", 1, "cart"),
      decision("x", 4, "other"),
    ]);
    expect(found.map((chain) => chain.decisions.map((d) => d.id))).toEqual([["x"], ["a", "b", "c"]]);
  });

  it("come newest first", () => {
    const many = Array.from({ length: 9 }, (_, at) => decision(`${at}`, at, `pod-${at}`));
    expect(chains(many).map((chain) => chain.at)).toEqual([8, 7, 6, 5, 4, 3, 2, 1, 0]);
  });
});

describe("the owner of a pod", () => {
  it("is told by its name", () => {
    const pod = (name: string) => owner({ kind: "Pod", name });
    expect(pod("cart-7d9c5b4f6d-x2x8k")).toBe("cart");
    expect(pod("node-exporter-x2x8k")).toBe("node-exporter");
    expect(pod("db-0")).toBe("db");
    expect(pod("lonely")).toBe("lonely");
    expect(owner({ kind: "Node", name: "core-a-0" })).toBe("core-a-0");
  });
});

describe("alike chains", () => {
  const placed = (id: string, at: number, name: string, node = "n1") =>
    decision(id, at, name, { chosen: node, sentence: `Placed on ${node}: the best of ${at} nodes, 87 against 74.` });

  it("are one card: eight pods of one deployment, placed the same way", () => {
    const pods = [..."bcdfghjk"].map((letter, at) => placed(`${at}`, at, `cart-7d9c5b4f6d-x2x8${letter}`, `n${at}`));
    const [group, ...others] = alike(chains(pods), 9);
    expect(others).toEqual([]);
    expect([group?.owner, group?.at, group?.chains.length]).toEqual(["cart", 7, 8]);
    expect(group && steps(group).map((step) => [step.decision.id, step.count])).toEqual([["7", 8]]);
  });

  it("are told apart by owner, by reason and by what the sentence says", () => {
    const found = alike(
      chains([
        placed("1", 1, "cart-7d9c5b4f6d-x2x8k"),
        placed("2", 2, "shop-7d9c5b4f6d-x2x8k"),
        decision("3", 3, "cart-7d9c5b4f6d-x2x8j", { reason: "Unschedulable", sentence: "0/3 nodes are available." }),
        decision("4", 4, "cart-7d9c5b4f6d-x2x8h", { sentence: "Placed where it was nominated." }),
      ]),
      9,
    );
    expect(found.map((group) => group.chains.length)).toEqual([1, 1, 1, 1]);
  });

  it("keep their card while others join, and repeats of one chain are counted", () => {
    const first = { ...placed("1", 1, "cart-7d9c5b4f6d-x2x8k"), count: 6 };
    const [alone] = alike(chains([first]), 9);
    const [joined] = alike(chains([first, placed("2", 2, "cart-7d9c5b4f6d-x2x8j")]), 9);
    expect(joined?.key).toBe(alone?.key);
    expect(alone && steps(alone).map((step) => step.count)).toEqual([6]);
  });

  it("say each step once", () => {
    const waits = { reason: "Unschedulable", verb: "Wait" } as const;
    const chain = [
      decision("1", 1, "cart", { ...waits, outcome: "Done" }),
      decision("2", 2, "cart", { ...waits, outcome: "NoAction", count: 4 }),
      placed("3", 3, "cart"),
    ];
    const [group] = alike(chains(chain), 9);
    expect(group && steps(group).map((step) => [step.decision.reason, step.count])).toEqual([
      ["Unschedulable", 5],
      ["PodPlaced", 1],
    ]);
  });

  it("have a shape without names and numbers", () => {
    expect(shape(placed("1", 1, "cart", "node-7"))).toBe("Placed on _");
    expect(shape(decision("1", 1, "a", { sentence: "12/36 nodes are available: 3 x" }))).toBe(
      "0/0 nodes are available",
    );
  });
});
