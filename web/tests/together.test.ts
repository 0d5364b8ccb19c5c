// A list that is read in pages and grows at its top has each decision once, in the order in which they were made.
import { expect, it } from "vitest";
import type { Decision, DecisionPage } from "../src/api/types";
import { together } from "../src/sections/together";

const decision = (id: string, more: Partial<Decision> = {}) => ({ id, count: 1, ...more }) as Decision;
const page = (ids: string[], next?: string): DecisionPage => ({
  decisions: ids.map((id) => decision(id)),
  partial: false,
  ...(next ? { next } : {}),
});
const ids = (rows: Decision[]) => rows.map((row) => row.id).join("");

it("stands in the order of what is shown, whatever was repeated last", () => {
  const live = [decision("a", { last_at: 9, count: 4 }), decision("d", { last_at: 5 })];
  const rows = together([page(["c", "b", "a"])], live);
  expect(ids(rows)).toBe("dcba");
  expect(rows.at(-1)?.count).toBe(4);
});

it("leaves to the next page what is its own", () => {
  expect(ids(together([page(["d", "c"], "c")], [decision("e"), decision("a")]))).toBe("edc");
  expect(ids(together([page(["d", "c"])], [decision("a")]))).toBe("dca");
});

it("shows what is live before anything was read", () => {
  expect(ids(together([], [decision("a"), decision("b")]))).toBe("ba");
});
