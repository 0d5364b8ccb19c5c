// An AppGroup over zones and nodes: where each node's box stands, where each workload's pods stand in it, and the curves
// of what depends on what.
//
// Zones are columns where there is room and below each other where there is not; then curves run in the margin. Curves
// are between workloads on nodes, not between pods: ten pods of a workload on one node are one end. What lies on one node
// costs nothing and needs no curve. A large group is folded: a box counts its pods, and a curve is all that two nodes have
// to do with each other. Two drawings of one group, each drawn beside the other, have the same boxes in the same places,
// unless there is no room beside each other.
//
// Promises: no two boxes overlap; every pod is in a box or counted in its zone's last one; the dearest edges are drawn
// first, and what is not drawn is counted; the same group gives the same drawing.
import type { Group } from "./answers";

export type Row = { workload: number; pods: string[]; y: number };
/** A node; the last box of a zone may stand for several. */
export type Box = {
  node: string;
  more: number;
  pods: number;
  workloads: number;
  x: number;
  y: number;
  width: number;
  height: number;
  rows: Row[];
};
export type Zone = { name: string; x: number; y: number; width: number; pods: number };
/** `edge` is none where the group is folded: a curve is all edges between two nodes then. */
export type Curve = {
  edge: number | undefined;
  from: string;
  to: string;
  path: string;
  at: { x: number; y: number };
  cost: number;
  level: number;
  tooFar: boolean;
};
export type Drawing = {
  zones: Zone[];
  boxes: Box[];
  curves: Curve[];
  left: number;
  folded: boolean;
  width: number;
  height: number;
};

/** Below this width zones stand below each other. Two drawings beside each other have closer columns. */
const ALONE = { narrow: 560, least: 150, most: 250, apart: 84 };
const BESIDE = { narrow: 440, least: 116, most: 250, apart: 56 };
const MARGIN = 64;
const ZONE = 26;
const HEAD = 30;
const ROW = 24;
const FOOT = 8;
const APART = 20;
/** The most boxes of a zone, and the most curves of a drawing. */
const BOXES = 12;
/** Of a large group on a phone. */
const FEW_BOXES = 5;
const PHONE = 440;
const CURVES = 240;
const BUNDLES = 24;
/** A group of more pods is folded. */
const FOLD = 60;
export const LEVELS = 4;

const byName = new Intl.Collator("en", { numeric: true });

/** How dear an edge is beside the dearest: 0 costs nothing, the last is the dearest. */
export function level(cost: number, most: number): number {
  return cost <= 0 || most <= 0 ? 0 : Math.min(LEVELS - 1, Math.ceil((cost / most) * (LEVELS - 1)));
}

type End = { box: Box; y: number; node: string };

const podsOf = (group: Group): number => group.workloads.reduce((sum, { pods }) => sum + pods.length, 0);

/** Draws a group; `other` is the same group as it is drawn beside. */
export function drawing(group: Group, zoneOf: (node: string) => string, width: number, other?: Group): Drawing {
  const folded = Math.max(podsOf(group), other ? podsOf(other) : 0) > FOLD;
  const sizes = other ? BESIDE : ALONE;
  const narrow = width < sizes.narrow;
  const zones = byZone(group, zoneOf, { narrow, few: width < PHONE, folded }, other);
  const columns = narrow
    ? 1
    : Math.max(1, Math.min(zones.length, Math.floor((width + sizes.apart) / (sizes.least + sizes.apart))));
  const room = narrow ? width - MARGIN : (width - sizes.apart * (columns - 1)) / columns;
  const each = narrow ? room : Math.min(sizes.most, columns === 1 ? width - MARGIN : room);
  const boxes: Box[] = [];
  const heads: Zone[] = [];
  const ends = new Map<number, End[]>();
  const boxOf = new Map<string, Box>();
  let top = 0;
  let bottom = 0;
  for (const [index, zone] of zones.entries()) {
    const column = index % columns;
    if (column === 0) top = index === 0 ? 0 : bottom + APART;
    const x = column * (columns > 1 ? each + (width - each * columns) / (columns - 1) : 0);
    heads.push({ name: zone.name, x, y: top, width: each, pods: zone.pods });
    let y = top + ZONE;
    for (const { nodes, more, pods, workloads, most } of zone.nodes) {
      const rows = workloads.map(([workload, pods], at) => ({ workload, pods, y: HEAD + (at + 0.5) * ROW }));
      const summed = more > 0 || folded;
      const height = HEAD + (folded ? 1 : more > 0 ? 0 : Math.max(1, most)) * ROW + FOOT;
      const node = more > 0 ? "" : (nodes[0] ?? "");
      const box = { node, more, pods, workloads: rows.length, x, y, width: each, height, rows: summed ? [] : rows };
      boxes.push(box);
      for (const node of nodes) boxOf.set(node, box);
      for (const row of rows) {
        const there = ends.get(row.workload) ?? [];
        ends.set(row.workload, [...there, { box, y: y + (summed ? height / 2 : row.y), node }]);
      }
      y += height + APART;
    }
    bottom = Math.max(bottom, y - APART);
  }
  const drawn = folded ? bundles(group, boxOf, other) : curves(group, ends, other);
  return { zones: heads, boxes, ...drawn, folded, width, height: Math.max(ZONE, bottom) };
}

/** The dearest first, as many as a person can follow. */
function curves(group: Group, ends: Map<number, End[]>, other?: Group): { curves: Curve[]; left: number } {
  const most = Math.max(0, ...[...group.edges, ...(other?.edges ?? [])].map((edge) => edge.cost));
  const order = group.edges.map((edge, index) => ({ edge, index })).sort((a, b) => b.edge.cost - a.edge.cost);
  const all = order.flatMap(({ edge, index }) =>
    (ends.get(edge.from) ?? []).flatMap((from) =>
      (ends.get(edge.to) ?? [])
        .filter((to) => to.box !== from.box)
        .map((to) => ({
          edge: index,
          from: from.node,
          to: to.node,
          ...curve(from, to),
          cost: edge.cost,
          level: level(edge.cost, most),
          tooFar: edge.tooFar > 0,
        })),
    ),
  );
  // What is drawn last lies on top.
  return { curves: all.slice(0, CURVES).reverse(), left: Math.max(0, all.length - CURVES) };
}

/** One curve for all that two boxes have to do with each other. */
function bundles(group: Group, boxOf: Map<string, Box>, other?: Group): { curves: Curve[]; left: number } {
  const most = Math.max(0, ...[...group.ways, ...(other?.ways ?? [])].map((way) => way.cost));
  const end = (box: Box): End => ({ box, y: box.y + box.height / 2, node: box.node });
  const drawn = new Map<string, Curve>();
  for (const way of group.ways) {
    const [from, to] = [boxOf.get(way.from), boxOf.get(way.to)];
    if (!from || !to || from === to) continue;
    const key = [`${from.x} ${from.y}`, `${to.x} ${to.y}`].sort().join();
    const known = drawn.get(key);
    const cost = way.cost + (known?.cost ?? 0);
    const tooFar = way.tooFar > 0 || known?.tooFar === true;
    const line = known ?? curve(end(from), end(to));
    drawn.set(key, {
      edge: undefined,
      from: from.node,
      to: to.node,
      path: line.path,
      at: line.at,
      cost,
      level: level(Math.min(cost, most), most),
      tooFar,
    });
  }
  const all = [...drawn.values()].sort((a, b) => b.cost - a.cost);
  const shown = all.slice(0, BUNDLES).reverse();
  return { curves: shown, left: group.moreWays + all.length - shown.length };
}

/** From the side of one box to the side of another; between boxes of a column, around on its right. */
function curve(from: End, to: End): { path: string; at: { x: number; y: number } } {
  const at = (number: number) => Number(number.toFixed(1));
  const middle = at((from.y + to.y) / 2);
  if (from.box.x === to.box.x) {
    const x = from.box.x + from.box.width;
    const far = x + Math.min(MARGIN - 8, 14 + Math.abs(to.y - from.y) * 0.14);
    const path = `M${at(x)} ${at(from.y)}C${at(far)} ${at(from.y)} ${at(far)} ${at(to.y)} ${at(x)} ${at(to.y)}`;
    return { path, at: { x: at(x + (far - x) * 0.75), y: middle } };
  }
  const right = from.box.x < to.box.x;
  const [start, end] = right ? [from.box.x + from.box.width, to.box.x] : [from.box.x, to.box.x + to.box.width];
  const half = (start + end) / 2;
  const path = `M${at(start)} ${at(from.y)}C${at(half)} ${at(from.y)} ${at(half)} ${at(to.y)} ${at(end)} ${at(to.y)}`;
  return { path, at: { x: at(half), y: middle } };
}

/** What a node holds; `most` is how many workloads it holds in either drawing. */
type Held = {
  nodes: string[];
  more: number;
  pods: number;
  most: number;
  moved: boolean;
  workloads: [workload: number, pods: string[]][];
};

/** By node: by workload, its pods. */
function byNode(group: Group): Map<string, Map<number, string[]>> {
  const nodes = new Map<string, Map<number, string[]>>();
  for (const [workload, { pods }] of group.workloads.entries())
    for (const { pod, node } of pods) {
      const there = nodes.get(node) ?? new Map<number, string[]>();
      nodes.set(node, there.set(workload, [...(there.get(workload) ?? []), pod]));
    }
  return nodes;
}

const held = (workloads: Map<number, string[]> | undefined): string => JSON.stringify([...(workloads ?? [])].sort());
const count = (workloads: Map<number, string[]> | undefined): number =>
  [...(workloads?.values() ?? [])].reduce((sum, pods) => sum + pods.length, 0);

/** Zones by name; in each its nodes by name, the last of them summed up where there are too many. */
function byZone(
  group: Group,
  zoneOf: (node: string) => string,
  { narrow, few, folded }: { narrow: boolean; few: boolean; folded: boolean },
  other: Group | undefined,
) {
  const most = folded && few ? FEW_BOXES : BOXES;
  const here = byNode(group);
  const there = other ? byNode(other) : here;
  const order = (workload: number) => group.workloads[workload]?.order ?? workload;
  const zones = new Map<string, (Held & { either: number })[]>();
  for (const node of new Set([...here.keys(), ...(narrow ? [] : there.keys())])) {
    const [now, then] = [here.get(node), there.get(node)];
    const one = {
      nodes: [node],
      more: 0,
      pods: count(now),
      most: narrow ? (now?.size ?? 0) : Math.max(now?.size ?? 0, then?.size ?? 0),
      moved: held(now) !== held(then),
      either: Math.max(count(now), count(then)),
      workloads: [...(now ?? [])].sort(([a], [b]) => order(a) - order(b) || a - b),
    };
    zones.set(zoneOf(node), [...(zones.get(zoneOf(node)) ?? []), one]);
  }
  const name = ({ nodes }: Held) => nodes[0] ?? "";
  return [...zones]
    .sort(([a], [b]) => byName.compare(a, b))
    .map(([zone, all]) => {
      const pods = all.reduce((sum, one) => sum + one.pods, 0);
      // Where something changes is shown before where much is.
      const first = [...all].sort(
        (a, b) => Number(b.moved) - Number(a.moved) || b.either - a.either || byName.compare(name(a), name(b)),
      );
      const shown = first.slice(0, first.length > most ? most - 1 : most);
      const rest = first.slice(shown.length);
      const last = rest.length > 0 ? [summed(rest)] : [];
      return { name: zone, pods, nodes: [...shown.sort((a, b) => byName.compare(name(a), name(b))), ...last] };
    });
}

function summed(rest: readonly Held[]): Held {
  const workloads = new Map<number, string[]>();
  for (const [workload, pods] of rest.flatMap((one) => one.workloads))
    workloads.set(workload, [...(workloads.get(workload) ?? []), ...pods]);
  return {
    nodes: rest.flatMap(({ nodes }) => nodes),
    more: rest.length,
    pods: rest.reduce((sum, one) => sum + one.pods, 0),
    most: 0,
    moved: rest.some(({ moved }) => moved),
    workloads: [...workloads],
  };
}
