// A cluster made up for tests that need one of a certain size, or in trouble.
import type { Decision, NodeView, Overview } from "../src/api/types";
import type { Front } from "./front";

const NOW = Date.UTC(2026, 10, 25, 20, 53, 44) * 1_000;

export const node = (at: number, more: Partial<NodeView> = {}): NodeView => ({
  name: `node-${at}`,
  zone: `zone-${"abc"[at % 3]}`,
  instance_type: "m5",
  spot: false,
  ready: true,
  cordoned: false,
  pods: at % 30,
  resources: [{ name: "cpu", capacity: 8_000 * (1 + (at % 3)), requested: at % 8_000 }],
  tightest: { name: at % 4 ? "cpu" : "memory", permille: (at * 37) % 1_000 },
  ...more,
});

export const nodes = (count: number): NodeView[] => Array.from({ length: count }, (_, at) => node(at));

export const changed = (nodes: NodeView[], full = false) => ({ version: 1, full, nodes, removed: [] });

const overview: Overview = {
  cluster: { name: "a story", now: NOW, speed: 1, version: "0.1.0", kubernetes: "v1.36.3" },
  features: [
    {
      feature: "scheduling",
      title: "Scheduling",
      mode: "Enforce",
      wanted: "Enforce",
      ceiling: "Enforce",
      paused: false,
      leading: true,
      fence: 1,
      headline: "8 pods placed in the last hour",
      counts: { placed: 8, waiting: 1, refused: 1, would: 2, failed: 1 },
      sparkline: Array.from({ length: 60 }, (_, at) => ({ at, value: at % 7 })),
      conditions: [],
    },
  ],
  connections: [],
  facts: [],
};

/** A pod of `cart` that was placed in the story's second `second`. */
export const placed = (second: number, more: Partial<Decision> = {}): Decision => ({
  id: `01a20a36-4c94-7c29-ba35-${String(second).padStart(12, "0")}`,
  at: NOW + second * 1_000_000,
  last_at: NOW + second * 1_000_000,
  feature: "scheduling",
  controller: "scheduler",
  mode: "Enforce",
  subject: { kind: "Pod", namespace: "shop", name: `cart-7d9c5b4f6d-${"bcdfghjk"[second % 8]}x2x8` },
  trigger: "Timer",
  cause_count: 0,
  verb: "Place",
  reason: "PodPlaced",
  sentence: `Placed on node-${second % 9}: the best of ${second + 9} nodes that can hold it.`,
  chosen: `node-${second % 9}`,
  plan: "plan",
  outcome: "Done",
  fence: 1,
  took: 62,
  count: 1,
  ...more,
});

export function tell(front: Front, nodes: NodeView[], decisions: Decision[] = []): void {
  front.json("/api/v1/decisions", { decisions, partial: false });
  front.tell((lastId) => [
    ["hello", { seq: 1, resumed: lastId !== undefined, read_only: false }],
    ["overview", overview],
    ["nodes", changed(nodes, true)],
  ]);
}
