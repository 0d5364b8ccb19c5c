// The list of the newest decisions stays ordered and bounded, and forgets nothing that it heard while it was read.
import { expect, it } from "vitest";
import { after, caughtUp, KEPT, put } from "../src/live/list";
import { decision } from "./decision";

it("holds each decision once, newest first, and no more than asked", () => {
  let list = [decision("2", 2, "a")];
  for (const at of [3, 1, 4]) list = put(list, decision(`${at}`, at, "a"), 3);
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
  const ended = after(list, { name: "outcome", data: { id: "1", outcome: "Done", steps: [] } });
  expect(ended[0]?.outcome).toBe("Done");
  const measured = after(ended, { name: "effect", data: { id: "1", effect: { at: 2, sentence: "Running" } } });
  expect(measured[0]).toMatchObject({ outcome: "Done", effect: { sentence: "Running" } });
  expect(after(list, { name: "outcome", data: { id: "2", outcome: "Done", steps: [] } })).toEqual(list);
});

it("keeps what was heard while it was read", () => {
  const read = [decision("2", 2, "b"), decision("1", 1, "a")];
  const list = caughtUp(read, [
    { name: "decision", data: decision("3", 3, "c") },
    { name: "outcome", data: { id: "3", outcome: "Done", steps: [] } },
    { name: "outcome", data: { id: "1", outcome: "Failed", steps: [] } },
  ]);
  expect(list.map((d) => [d.id, d.outcome])).toEqual([
    ["3", "Done"],
    ["2", "Pending"],
    ["1", "Failed"],
  ]);
  const many = Array.from({ length: KEPT + 9 }, (_, at) => decision(`${at}`, at, "a"));
  expect(caughtUp(many, [])).toHaveLength(KEPT);
});
