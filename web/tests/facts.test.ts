// What is said besides the sentence is only said when it is known.
import { beforeAll, expect, it, vi } from "vitest";
import type { Decision } from "../src/api/types";

let facts: typeof import("../src/sections/facts");

beforeAll(async () => {
  vi.stubGlobal("location", { pathname: "/", search: "" });
  vi.stubGlobal("addEventListener", () => {});
  facts = await import("../src/sections/facts");
});

const decision = (more: Partial<Decision>) => ({ reason: "PodPlaced", ...more }) as Decision;

it("says how many nodes were feasible where they were looked at", () => {
  const { feasible } = facts;
  expect(feasible(decision({ inputs: { nodes: "1000", feasible: "12" } }))).toBe("12 of 1,000");
  expect(feasible(decision({ inputs: { nodes: "50", feasible: "0" } }))).toBe("0 of 50");
  expect(feasible(decision({ inputs: { nodes: "50" } }))).toBeUndefined();
  expect(feasible(decision({}))).toBeUndefined();
});

it("says what made the feature look", () => {
  const pod = { kind: "Pod", namespace: "shop", name: "cart-0" };
  expect(facts.because({ Watch: pod }, pod)).toBe("it changed");
  expect(facts.because({ Watch: { kind: "Node", name: "a" } }, pod)).toBe("Node a changed");
  expect(facts.because({ Fact: "NodeBandwidth" }, pod)).toBe("the fact NodeBandwidth changed");
  expect(facts.because("Timer", pod)).toBe("a deadline or a resync came due");
});
