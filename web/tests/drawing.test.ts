// An AppGroup's boxes stand apart, hold every pod, and its curves go between them.
import { describe, expect, it } from "vitest";
import type { Edge, Group } from "../src/sections/scheduling/answers";
import { type Drawing, drawing, level } from "../src/sections/scheduling/drawing";

const edge = (from: number, to: number, cost: number, more: Partial<Edge> = {}): Edge => ({
  from,
  to,
  weight: 1,
  source: "declared",
  cost,
  pairs: 1,
  tooFar: 0,
  ...more,
});
const group = (pods: [workload: number, node: string][], edges: Edge[]): Group => {
  const workloads = Array.from({ length: 1 + Math.max(0, ...pods.map(([workload]) => workload)) }, (_, order) => ({
    selector: `w${order}`,
    order,
    pods: pods.flatMap(([workload, node], at) => (workload === order ? [{ pod: `shop/p${at}`, node }] : [])),
  }));
  const cost = edges.reduce((sum, one) => sum + one.cost, 0);
  return { namespace: "shop", name: "g", workloads, edges, cost, ways: [], moreWays: 0 };
};
const zoneOf = (node: string) => `zone-${node.at(0)}`;

const apart = ({ boxes, zones }: Drawing) => {
  const all = [...boxes, ...zones.map((zone) => ({ ...zone, height: 20 }))];
  return all.every((a, at) =>
    all
      .slice(at + 1)
      .every((b) => a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y),
  );
};

const three = group(
  [
    [0, "a1"],
    [0, "a1"],
    [1, "a1"],
    [1, "b1"],
    [2, "c1"],
  ],
  [edge(0, 1, 5), edge(1, 2, 10, { tooFar: 1 }), edge(0, 2, 0)],
);

describe.each([1_440, 900, 640, 390, 260])("at a width of %i", (width) => {
  const drawn = drawing(three, zoneOf, width);

  it("every pod is in one box, and no two overlap", () => {
    expect(drawn.boxes.flatMap((box) => box.rows.flatMap((row) => row.pods)).sort()).toEqual(
      three.workloads.flatMap((workload) => workload.pods.map((pod) => pod.pod)).sort(),
    );
    expect(apart(drawn)).toBe(true);
    for (const box of drawn.boxes) expect(box.x + box.width).toBeLessThanOrEqual(width);
    expect(drawn.zones.map((zone) => [zone.name, zone.pods])).toEqual([
      ["zone-a", 3],
      ["zone-b", 1],
      ["zone-c", 1],
    ]);
  });

  it("curves go between nodes, one for all pods of a workload there, the dearest on top, within the picture", () => {
    expect(drawn.curves.map((curve) => curve.edge)).toEqual([2, 0, 1, 1]);
    expect(drawn.curves.map((curve) => curve.tooFar)).toEqual([false, false, true, true]);
    const numbers = drawn.curves.flatMap((curve) => curve.path.match(/-?\d+(\.\d+)?/g)?.map(Number) ?? []);
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
    for (const { path } of drawn.curves)
      for (const [, x] of path.matchAll(/(\d+(?:\.\d+)?) \d/g)) expect(Number(x)).toBeLessThanOrEqual(width);
  });
});

it("sums up the nodes of a zone that are too many, with an end for their edges", () => {
  const many = group(
    Array.from({ length: 40 }, (_, at) => [at % 2, `a${at}`]),
    [edge(0, 1, 400)],
  );
  const drawn = drawing(many, () => "zone-a", 800);
  expect(drawn.boxes).toHaveLength(12);
  expect(drawn.boxes.at(-1)?.more).toBe(29);
  expect(apart(drawn)).toBe(true);
  expect(drawn.curves.length).toBeGreaterThan(0);
});

it("draws no more curves than can be followed, and counts the rest", () => {
  const many = group(
    Array.from({ length: 60 }, (_, at) => [at % 5, `${"abc"[at % 3]}${at % 24}`]),
    Array.from({ length: 20 }, (_, at) => edge(at % 5, (at + 1 + (at % 4)) % 5, at)),
  );
  const drawn = drawing(many, zoneOf, 1_000);
  expect(drawn.curves).toHaveLength(240);
  expect(drawn.left).toBeGreaterThan(0);
  expect(drawing(many, zoneOf, 1_000)).toEqual(drawn);
});

/** The same, with some pods on other nodes. */
const moved = (of: Group, to: Record<string, string>): Group => ({
  ...of,
  workloads: of.workloads.map((workload) => ({
    ...workload,
    pods: workload.pods.map(({ pod, node }) => ({ pod, node: to[pod] ?? node })),
  })),
});

describe.each([1_440, 640, 480])("two drawings beside each other at a width of %i", (width) => {
  const then = moved(three, { "shop/p3": "a1", "shop/p4": "b2" });
  const [left, right] = [drawing(three, zoneOf, width, then), drawing(then, zoneOf, width, three)];
  const places = ({ boxes }: Drawing) => boxes.map(({ node, x, y, width, height }) => ({ node, x, y, width, height }));

  it("have the same boxes in the same places, also those that are bare in one of them", () => {
    expect(places(left)).toEqual(places(right));
    expect(left.boxes.map(({ node, pods }) => [node, pods])).toEqual([
      ["a1", 3],
      ["b1", 1],
      ["b2", 0],
      ["c1", 1],
    ]);
    expect(right.boxes.map(({ pods }) => pods)).toEqual([4, 0, 1, 0]);
    expect(apart(left) && apart(right)).toBe(true);
  });

  it("call dear what is dear in either", () => {
    const cheap = { ...three, edges: three.edges.map((one) => ({ ...one, cost: Math.min(one.cost, 1) })) };
    expect(Math.max(...drawing(cheap, zoneOf, width).curves.map((curve) => curve.level))).toBe(3);
    expect(Math.max(...drawing(cheap, zoneOf, width, three).curves.map((curve) => curve.level))).toBe(1);
  });
});

it("draws two that stand below each other each for itself", () => {
  const then = moved(three, { "shop/p3": "a1" });
  expect(drawing(then, zoneOf, 360, three).boxes.map(({ node }) => node)).toEqual(["a1", "c1"]);
});

it("shows the nodes where something changes before those that are fuller", () => {
  const many = group(
    Array.from({ length: 40 }, (_, at) => [0, `a${at % 20}`]),
    [],
  );
  const then = moved(many, { "shop/p19": "a20" });
  const drawn = drawing(many, () => "zone-a", 800, then);
  expect(drawn.boxes.map(({ node }) => node)).toEqual(expect.arrayContaining(["a19", "a20"]));
  expect(drawn.boxes.reduce((sum, box) => sum + box.pods, 0)).toBe(40);
});

describe("a group of 200 pods", () => {
  const pods = Array.from({ length: 200 }, (_, at): [number, string] => [at % 9, `${"abc"[at % 3]}${at % 60}`]);
  const nodes = [...new Set(pods.map(([, node]) => node))];
  const ways = nodes.slice(1).map((to, at) => ({ from: nodes[0] ?? "", to, cost: 100 - at, tooFar: at === 0 ? 1 : 0 }));
  const large: Group = { ...group(pods, [edge(0, 1, 900)]), ways: ways.slice(0, 48), moreWays: 11 };
  const drawn = drawing(large, zoneOf, 1_200);

  it("is folded into nodes with counts, in boxes of one line", () => {
    expect(drawn.folded).toBe(true);
    expect(drawn.boxes.every((box) => box.rows.length === 0)).toBe(true);
    expect(drawn.boxes.reduce((sum, box) => sum + box.pods, 0)).toBe(200);
    expect(new Set(drawn.boxes.filter(({ more }) => more === 0).map(({ height }) => height)).size).toBe(1);
    expect(apart(drawn)).toBe(true);
  });

  it("is shorter where zones stand below each other", () => {
    const narrow = drawing(large, zoneOf, 360);
    expect(narrow.boxes).toHaveLength(15);
    expect(narrow.boxes.reduce((sum, box) => sum + box.pods, 0)).toBe(200);
  });

  it("has one curve for two boxes, and counts what it does not draw", () => {
    const paths = drawn.curves.map(({ path }) => path);
    expect(new Set(paths).size).toBe(paths.length);
    expect(drawn.curves).toHaveLength(24);
    // The first way goes to the box that stands for several: all of them together.
    expect(drawn.curves.reduce((sum, curve) => sum + curve.cost, 0)).toBeLessThanOrEqual(
      large.ways.reduce((sum, one) => sum + one.cost, 0),
    );
    // Of 35 curves, and of what the server does not tell.
    expect(drawn.left).toBe(35 - 24 + 11);
  });
});

it("draws a group without pods as nothing", () => {
  expect(drawing(group([], []), zoneOf, 800)).toMatchObject({ boxes: [], zones: [], curves: [] });
});

it("says how dear an edge is beside the dearest", () => {
  expect([0, 1, 5, 7, 10].map((cost) => level(cost, 10))).toEqual([0, 1, 2, 3, 3]);
  expect(level(0, 0)).toBe(0);
});
