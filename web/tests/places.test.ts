// What a person types finds its page; sentences keep every word.
import { beforeAll, expect, it, vi } from "vitest";
import { split } from "../src/ui/split";

let searchPath: typeof import("../src/live/subject").searchPath;
let decode: typeof import("../src/live/router").decode;

beforeAll(async () => {
  vi.stubGlobal("location", { pathname: "/decision/%E0%A4%A", search: "" });
  vi.stubGlobal("addEventListener", () => {});
  ({ decode } = await import("../src/live/router"));
  ({ searchPath } = await import("../src/live/subject"));
});

it("finds the page", () => {
  expect(searchPath("pod shop/cart-0")).toBe("/subject/Pod/shop/cart-0/");
  expect(searchPath("shop/cart-0")).toBe("/subject/Pod/shop/cart-0/");
  expect(searchPath("node node-a1")).toBe("/subject/Node/-/node-a1/");
  expect(searchPath("deploy shop/cart")).toBe("/subject/Deployment.apps/shop/cart/");
  expect(searchPath("01a20a36-4c94-7c29-ba35-d33514b3210c")).toBe("/decision/01a20a36-4c94-7c29-ba35-d33514b3210c/");
  expect(searchPath("  ")).toBeUndefined();
});

it("assumes no namespace: the one object of a name, or the decisions about any", () => {
  const pod = (namespace: string, name: string) => ({ kind: "Pod", namespace, name });
  const known = [pod("shop", "cart-0"), pod("shop", "cart-0"), pod("a", "web"), pod("b", "web")];
  expect(searchPath("pod cart-0", known)).toBe("/subject/Pod/shop/cart-0/");
  expect(searchPath("cart-0", known)).toBe("/subject/Pod/shop/cart-0/");
  expect(searchPath("pod web", known)).toBe("/decisions?kind=Pod&name=web");
  expect(searchPath("web", known)).toBe("/decisions?name=web");
  expect(searchPath("deploy cart-0", known)).toBe("/decisions?kind=Deployment&name=cart-0");
  expect(searchPath("node-a1", [{ kind: "Node", name: "node-a1" }])).toBe("/subject/Node/-/node-a1/");
  expect(searchPath("pod", known)).toBe("/decisions?name=pod");
});

it("reads what is mistyped in a path as it stands", () => {
  expect(["caf%C3%A9", "%E0%A4%A", "100%"].map((part) => decode(part))).toEqual(["café", "%E0%A4%A", "100%"]);
});

it("keeps every word of a sentence", () => {
  const sentence = "Placed shop/cart-0 on node-1 (not node-10).";
  expect(split(sentence, ["shop/cart-0", "node-1", "node-10"]).join("")).toBe(sentence);
  expect(split(sentence, ["node-1", "node-10"])).toContain("node-10");
  expect(split("Nearest: 2 nodes: a-1, a-2: short 3.", ["2 nodes: a-1, a-2"])).toHaveLength(1);
});
