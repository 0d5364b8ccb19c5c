// An answer that is kept learns what the stream says, and is left alone when nothing in it changed.
import { type InfiniteData, QueryClient } from "@tanstack/solid-query";
import { beforeEach, expect, it } from "vitest";
import type { Decision, DecisionDetail, DecisionPage } from "../src/api/types";
import { applyChange, KEYS } from "../src/sections/fresh";

const decision = (id: string, causes: string[] = []): Decision =>
  ({ id, causes, outcome: "Pending", steps: [], count: 1 }) as unknown as Decision;

let queries: QueryClient;
const list = () => queries.getQueryData<InfiniteData<DecisionPage>>([KEYS.list, {}]);
const one = () => queries.getQueryData<DecisionDetail>([KEYS.one, "b"]);

beforeEach(() => {
  queries = new QueryClient();
  queries.setQueryData([KEYS.list, {}], {
    pages: [{ decisions: [decision("b"), decision("a")], partial: false }],
    pageParams: [""],
  });
  queries.setQueryData([KEYS.one, "b"], { decision: decision("b", ["a"]), causes: [decision("a")], consequences: [] });
});

it("an open decision learns how it ended and what came of it, wherever it is shown", () => {
  applyChange(queries, { name: "outcome", data: { id: "b", outcome: "Done", steps: [] } });
  applyChange(queries, { name: "effect", data: { id: "b", effect: { at: 1, sentence: "Running after 2 s." } } });
  expect(one()?.decision).toMatchObject({ outcome: "Done", effect: { sentence: "Running after 2 s." } });
  expect(list()?.pages[0]?.decisions[0]).toMatchObject({ outcome: "Done", effect: { sentence: "Running after 2 s." } });
  applyChange(queries, { name: "outcome", data: { id: "a", outcome: "Failed", steps: [] } });
  expect(one()?.causes[0]?.outcome).toBe("Failed");
});

it("what follows from a decision appears with it, once", () => {
  applyChange(queries, { name: "decision", data: decision("c", ["x", "b"]) });
  applyChange(queries, { name: "decision", data: { ...decision("c", ["x", "b"]), count: 2 } });
  applyChange(queries, { name: "decision", data: decision("d", ["c"]) });
  expect(one()?.consequences.map((next) => [next.id, next.count])).toEqual([["c", 2]]);
});

it("a list keeps its rows", () => {
  applyChange(queries, { name: "decision", data: decision("new") });
  expect(list()?.pages[0]?.decisions.map((row) => row.id)).toEqual(["b", "a"]);
});

it("what is not about it leaves an answer as it is", () => {
  const before = [list(), one()];
  applyChange(queries, { name: "outcome", data: { id: "other", outcome: "Done", steps: [] } });
  expect(list()).toBe(before[0]);
  expect(one()).toBe(before[1]);
});
