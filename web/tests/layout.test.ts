// Cells of the map never overlap, and the arrow keys reach every one of them.
import { expect, it } from "vitest";
import type { NodeView } from "../src/api/types";
import { beside, layout } from "../src/sections/layout";

const nodes = (count: number): NodeView[] =>
  Array.from({ length: count }, (_, at) => ({
    name: `node-${at}`,
    zone: `zone-${"abc"[at % 3]}`,
    instance_type: "m",
    spot: false,
    ready: true,
    cordoned: false,
    pods: 1,
    resources: [{ name: "cpu", capacity: 1_000 * (1 + (at % 7)), requested: 0 }],
    tightest: { name: "cpu", permille: 100 },
  }));

it("overlaps nothing and stays inside", () => {
  for (const [count, width] of [
    [1, 300],
    [50, 300],
    [200, 720],
    [700, 900],
  ] as const) {
    const { spots, height } = layout(nodes(count), width);
    expect(spots.length).toBe(count);
    for (const [at, a] of spots.entries()) {
      expect(a.x).toBeGreaterThanOrEqual(0);
      expect(a.y + a.size).toBeLessThanOrEqual(height);
      for (const b of spots.slice(at + 1, at + 60)) {
        const apart = a.x + a.size <= b.x || b.x + b.size <= a.x || a.y + a.size <= b.y || b.y + b.size <= a.y;
        expect(apart).toBe(true);
      }
    }
  }
});

it("is walked with the arrow keys", () => {
  const { spots } = layout(nodes(50), 720);
  const reached = new Set([0]);
  const queue = [0];
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    for (const key of ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]) {
      const next = beside(spots, at, key);
      if (!reached.has(next)) {
        reached.add(next);
        queue.push(next);
      }
    }
  }
  expect(reached.size).toBe(50);
});
