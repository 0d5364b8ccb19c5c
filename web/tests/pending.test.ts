// Waiting pods are one thing to do where the same would help them.
import { expect, it } from "vitest";
import { type Pending, type PendingPod, together } from "../src/sections/scheduling/answers";
import { apart, grouped } from "../src/sections/scheduling/pending";

const SHORT = "0/2 nodes are available: 2 Insufficient cpu.";

const pod = (name: string, reason?: string, change: string | null = null, namespace = "shop"): PendingPod => ({
  namespace,
  name,
  said: reason ? { reason, sentence: SHORT, decision: "d", at: 1 } : null,
  change,
});
const pending = (pods: PendingPod[], more: Partial<Pending> = {}): Pending => {
  const reasons: Pending["reasons"] = {};
  for (const one of pods) reasons[one.said?.reason ?? "NotTried"] = (reasons[one.said?.reason ?? "NotTried"] ?? 0) + 1;
  return { waiting: pods.length, reasons, pods, ...more };
};

it("puts pods together that the same change would help, the most first", () => {
  const change = "it would fit on n1 with 500m cpu instead of 700m";
  const [first, second] = grouped(
    pending([
      pod("a", "SchedulingGated"),
      pod("b", "Unschedulable", "with 1 cpu"),
      pod("c", "Unschedulable", change),
      pod("d", "Unschedulable", change, "bank"),
    ]),
  );
  expect(first).toMatchObject({ reason: "Unschedulable", count: 3, namespaces: ["bank", "shop"] });
  expect(first?.helps.map((help) => [help.fix, help.tried, help.pods.length])).toEqual([
    ["It would fit on n1 with 500m cpu instead of 700m.", true, 2],
    ["With 1 cpu.", true, 1],
  ]);
  expect(second).toMatchObject({ reason: "SchedulingGated", count: 1 });
  expect(second?.helps[0]?.tried).toBe(false);
});

it("knows what to do about a pod that nothing was said of, and about a reason it does not know", () => {
  const [first, second] = grouped(pending([pod("a"), pod("b", "SomethingNew")]));
  expect([first?.reason, first?.helps[0]?.fix]).toEqual(["NotTried", "It is tried next."]);
  expect(second).toMatchObject({ reason: "SomethingNew", meaning: "It waits." });
});

it("counts pods that are not named", () => {
  const [first] = grouped(pending([pod("a", "Unschedulable")], { waiting: 900, reasons: { Unschedulable: 900 } }));
  expect([first?.count, first?.helps[0]?.pods.length]).toEqual([900, 1]);
  expect(grouped(pending([]))).toEqual([]);
});

it("sums up what was asked namespace by namespace", () => {
  const all = together([pending([pod("a", "Unschedulable")]), pending([pod("b", "Unschedulable", null, "bank")])]);
  expect(all).toMatchObject({ waiting: 2, reasons: { Unschedulable: 2 }, partial: true });
  expect(all.pods).toHaveLength(2);
});

it("does not say twice what would help", () => {
  const change = "With 2 cpu instead of 4 it would fit on n1";
  expect(apart(`${SHORT} ${change}.`, change)).toBe(SHORT);
  expect(apart(SHORT, change)).toBe(SHORT);
  expect(apart(SHORT, null)).toBe(SHORT);
});
