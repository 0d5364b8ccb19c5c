// An AppGroup over zones and nodes: where each node's box stands, where each workload's pods stand in it, and the curves
// of what depends on what.
//
// Zones are columns where there is room and below each other where there is not; then curves run in the margin. Curves
// are between workloads on nodes, not between pods: ten pods of a workload on one node are one end. What lies on one node
// costs nothing and needs no curve.
//
// Promises: no two boxes overlap; every pod is in a box or counted in its zone's last one; the dearest edges are drawn
// first, and what is not drawn is counted; the same group gives the same drawing.
import type { Group } from "./answers";

export type Row = { workload: number; pods: string[]; y: number };
/** A node; the last box of a zone may stand for several. */
export type Box = { node: string; more: number; x: number; y: number; width: number; height: number; rows: Row[] };
export type Zone = { name: string; x: number; y: number; width: number; pods: number };
export type Curve = { edge: number; path: string; level: number; tooFar: boolean };
export type Drawing = { zones: Zone[]; boxes: Box[]; curves: Curve[]; left: number; width: number; height: number };

/** Below this width zones stand below each other. */
const NARROW = 560;
const COLUMN = { least: 150, most: 250, apart: 84 };
const MARGIN = 64;
const ZONE = 26;
const HEAD = 30;
const ROW = 24;
const FOOT = 8;
const APART = 20;
/** The most boxes of a zone, and the most curves of a drawing. */
const BOXES = 12;
const CURVES = 240;
export const LEVELS = 4;

const byName = new Intl.Collator("en", { numeric: true });

/** How dear an edge is beside the dearest: 0 costs nothing, the last is the dearest. */
export function level(cost: number, most: number): number {
  return cost <= 0 || most <= 0 ? 0 : Math.min(LEVELS - 1, Math.ceil((cost / most) * (LEVELS - 1)));
}

type End = { box: Box; y: number; node: string };

export function drawing(group: Group, zoneOf: (node: string) => string, width: number): Drawing {
  const zones = byZone(group, zoneOf);
  const narrow = width < NARROW;
  const columns = narrow
    ? 1
    : Math.max(1, Math.min(zones.length, Math.floor((width + COLUMN.apart) / (COLUMN.least + COLUMN.apart))));
  const room = narrow ? width - MARGIN : (width - COLUMN.apart * (columns - 1)) / columns;
  const each = narrow ? room : Math.min(COLUMN.most, columns === 1 ? width - MARGIN : room);
  const boxes: Box[] = [];
  const heads: Zone[] = [];
  const ends = new Map<number, End[]>();
  let top = 0;
  let bottom = 0;
  for (const [index, zone] of zones.entries()) {
    const column = index % columns;
    if (column === 0) top = index === 0 ? 0 : bottom + APART;
    const x = column * (columns > 1 ? each + (width - each * columns) / (columns - 1) : 0);
    heads.push({ name: zone.name, x, y: top, width: each, pods: zone.pods });
    let y = top + ZONE;
    for (const { node, more, workloads } of zone.nodes) {
      const rows = workloads.map(([workload, pods], at) => ({ workload, pods, y: HEAD + (at + 0.5) * ROW }));
      const height = more > 0 ? HEAD + FOOT : HEAD + rows.length * ROW + FOOT;
      const box = { node, more, x, y, width: each, height, rows: more > 0 ? [] : rows };
      boxes.push(box);
      for (const row of rows) {
        const there = ends.get(row.workload) ?? [];
        ends.set(row.workload, [...there, { box, y: y + (more > 0 ? height / 2 : row.y), node: more > 0 ? "" : node }]);
      }
      y += height + APART;
    }
    bottom = Math.max(bottom, y - APART);
  }
  return { zones: heads, boxes, ...curves(group, ends), width, height: Math.max(ZONE, bottom) };
}

/** The dearest first, as many as a person can follow. */
function curves(group: Group, ends: Map<number, End[]>): { curves: Curve[]; left: number } {
  const most = Math.max(0, ...group.edges.map((edge) => edge.cost));
  const order = group.edges.map((edge, index) => ({ edge, index })).sort((a, b) => b.edge.cost - a.edge.cost);
  const all = order.flatMap(({ edge, index }) =>
    (ends.get(edge.from) ?? []).flatMap((from) =>
      (ends.get(edge.to) ?? [])
        .filter((to) => to.box !== from.box)
        .map((to) => ({ edge: index, path: curve(from, to), level: level(edge.cost, most), tooFar: edge.tooFar > 0 })),
    ),
  );
  // What is drawn last lies on top.
  return { curves: all.slice(0, CURVES).reverse(), left: Math.max(0, all.length - CURVES) };
}

/** From the side of one box to the side of another; between boxes of a column, around on its right. */
function curve(from: End, to: End): string {
  const at = (number: number) => Number(number.toFixed(1));
  if (from.box.x === to.box.x) {
    const x = from.box.x + from.box.width;
    const far = x + Math.min(MARGIN - 8, 14 + Math.abs(to.y - from.y) * 0.14);
    return `M${at(x)} ${at(from.y)}C${at(far)} ${at(from.y)} ${at(far)} ${at(to.y)} ${at(x)} ${at(to.y)}`;
  }
  const right = from.box.x < to.box.x;
  const [start, end] = right ? [from.box.x + from.box.width, to.box.x] : [from.box.x, to.box.x + to.box.width];
  const middle = (start + end) / 2;
  return `M${at(start)} ${at(from.y)}C${at(middle)} ${at(from.y)} ${at(middle)} ${at(to.y)} ${at(end)} ${at(to.y)}`;
}

type Held = { node: string; more: number; pods: number; workloads: [workload: number, pods: string[]][] };

/** Zones by name; in each its nodes by name, the last of them summed up where there are too many. */
function byZone(group: Group, zoneOf: (node: string) => string) {
  const nodes = new Map<string, Map<number, string[]>>();
  for (const [workload, { pods }] of group.workloads.entries())
    for (const { pod, node } of pods) {
      const there = nodes.get(node) ?? new Map<number, string[]>();
      nodes.set(node, there.set(workload, [...(there.get(workload) ?? []), pod]));
    }
  const zones = new Map<string, Held[]>();
  for (const [node, held] of nodes) {
    const order = (workload: number) => group.workloads[workload]?.order ?? workload;
    const workloads = [...held].sort(([a], [b]) => order(a) - order(b) || a - b);
    const one = { node, more: 0, pods: workloads.reduce((sum, [, pods]) => sum + pods.length, 0), workloads };
    zones.set(zoneOf(node), [...(zones.get(zoneOf(node)) ?? []), one]);
  }
  return [...zones]
    .sort(([a], [b]) => byName.compare(a, b))
    .map(([name, held]) => {
      const pods = held.reduce((sum, one) => sum + one.pods, 0);
      const fullest = [...held].sort((a, b) => b.pods - a.pods || byName.compare(a.node, b.node));
      const shown = fullest.slice(0, fullest.length > BOXES ? BOXES - 1 : BOXES);
      const rest = fullest.slice(shown.length);
      return {
        name,
        pods,
        nodes: [...shown.sort((a, b) => byName.compare(a.node, b.node)), ...(rest.length > 0 ? [summed(rest)] : [])],
      };
    });
}

function summed(rest: readonly Held[]): Held {
  const workloads = new Map<number, string[]>();
  for (const [workload, pods] of rest.flatMap((one) => one.workloads))
    workloads.set(workload, [...(workloads.get(workload) ?? []), ...pods]);
  const pods = rest.reduce((sum, one) => sum + one.pods, 0);
  return { node: "", more: rest.length, pods, workloads: [...workloads] };
}
