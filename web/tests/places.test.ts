// What a person types finds its page; sentences keep every word.
import { beforeAll, expect, it, vi } from "vitest";
import { split } from "../src/ui/split";

let searchPath: typeof import("../src/live/subject").searchPath;

beforeAll(async () => {
  vi.stubGlobal("location", { pathname: "/", search: "" });
  vi.stubGlobal("addEventListener", () => {});
  ({ searchPath } = await import("../src/live/subject"));
});

it("finds the page", () => {
  expect(searchPath("pod shop/cart-0")).toBe("/subject/Pod/shop/cart-0/");
  expect(searchPath("shop/cart-0")).toBe("/subject/Pod/shop/cart-0/");
  expect(searchPath("node node-a1")).toBe("/subject/Node/-/node-a1/");
  expect(searchPath("01a20a36-4c94-7c29-ba35-d33514b3210c")).toBe("/decision/01a20a36-4c94-7c29-ba35-d33514b3210c/");
  expect(searchPath("cart-0")).toBe("/decisions?name=cart-0");
  expect(searchPath("  ")).toBeUndefined();
});

it("keeps every word of a sentence", () => {
  const sentence = "Placed shop/cart-0 on node-1 (not node-10).";
  expect(split(sentence, ["shop/cart-0", "node-1", "node-10"]).join("")).toBe(sentence);
  expect(split(sentence, ["node-1", "node-10"])).toContain("node-10");
});
