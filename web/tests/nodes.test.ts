// A change of one node reaches who looks at that node, and nobody else.
import { createEffect, createRoot } from "solid-js";
import { expect, it } from "vitest";
import type { NodeView } from "../src/api/types";
import { Nodes } from "../src/live/nodes";

const node = (name: string, more: Partial<NodeView> = {}): NodeView => ({
  name,
  zone: "a",
  instance_type: "m",
  spot: false,
  ready: true,
  cordoned: false,
  pods: 1,
  resources: [{ name: "cpu", capacity: 8_000, requested: 0 }],
  tightest: { name: "cpu", permille: 100 },
  ...more,
});

const change = (nodes: NodeView[], removed: string[] = [], full = false) => ({ version: 1, full, nodes, removed });

it("puts differences together", () => {
  const nodes = new Nodes();
  expect(nodes.known()).toBe(false);
  nodes.hear(change([node("a"), node("b"), node("c")], [], true));
  nodes.hear(change([node("b", { pods: 9 }), node("d")], ["a"]));
  expect(nodes.all().map((one) => [one.name, one.pods])).toEqual([
    ["b", 9],
    ["c", 1],
    ["d", 1],
  ]);
  nodes.hear(change([node("d"), node("b")], [], true));
  expect(nodes.names()).toEqual(["b", "d"]);
  expect([nodes.known(), nodes.get("a"), nodes.get("b")?.pods]).toEqual([true, undefined, 1]);
});

it("tells of a node that fills only who looks at it, and of one that grows who lays out the map", () => {
  const nodes = new Nodes();
  nodes.hear(change([node("a"), node("b")], [], true));
  const seen: string[] = [];
  createRoot((dispose) => {
    const look = (who: string, at: () => unknown) =>
      createEffect(() => {
        at();
        seen.push(who);
      });
    look("a", () => nodes.get("a"));
    look("b", () => nodes.get("b"));
    look("map", () => nodes.shapes());
    look("names", () => nodes.names());
    queueMicrotask(dispose);
  });
  seen.length = 0;
  nodes.hear(change([node("b", { pods: 2, tightest: { name: "memory", permille: 900 } })]));
  expect(seen).toEqual(["b"]);
  seen.length = 0;
  nodes.hear(change([node("a", { resources: [{ name: "cpu", capacity: 64_000, requested: 0 }] })]));
  expect(seen.sort()).toEqual(["a", "map", "names"]);
});
