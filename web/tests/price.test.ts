// What a proposal is worth, and what is said of it.
import { describe, expect, it } from "vitest";
import type { Better, Group, Proposal } from "../src/sections/scheduling/answers";
import { becomes, nothing, worth } from "../src/sections/scheduling/price";

const group = (cost: number): Group => ({
  namespace: "shop",
  name: "g",
  workloads: [],
  edges: [],
  cost,
  ways: [],
  moreWays: 0,
});
const moves = [{ pod: "shop/a", from: "n1", to: "n2" }];
const better = (kind: Better["kind"]): Better => ({ kind, group: group(30), moves });
const proposal = (more: Partial<Proposal> = {}): Proposal => ({
  now: group(120),
  better: [],
  pods: 4,
  movable: 4,
  waits: false,
  allowed: false,
  ...more,
});

describe("a proposal", () => {
  it("saves what it costs less, and takes an eviction a pod", () => {
    expect(worth(proposal(), better("moves"))).toEqual({ saved: 90, share: "75 %", evictions: 1 });
  });

  it("says who carries it out, or how to allow it", () => {
    expect(becomes(proposal(), better("moves"))).toContain("keelson.dev/drift: move");
    expect(becomes(proposal({ allowed: true }), better("moves"))).toMatch(/^Keelson evicts one pod at a time/);
    expect(becomes(proposal({ allowed: true }), better("anew"))).toContain("does not do this by itself");
    expect(becomes(proposal({ allowed: true, waits: true }), better("moves"))).toContain("waits for a node");
  });

  it("says why there is none", () => {
    expect(nothing(proposal())).toBe("No place was found where it would cost less.");
    expect(nothing(proposal({ movable: 3 }))).toContain("1 pod of it Keelson may not move");
    expect(nothing(proposal({ movable: 0 }))).toContain("Other schedulers placed its pods");
    expect(nothing(proposal({ pods: 501 }))).toContain("501 are more than 500");
  });
});
