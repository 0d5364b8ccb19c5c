// Where each node's cell stands on the map: by zone, sized by capacity, in as many columns as the width allows.
import type { NodeView } from "../api/types";

/** What decides where a node stands; how full it is does not. */
export type Shape = Pick<NodeView, "name" | "zone" | "resources">;
export type Spot = { name: string; x: number; y: number; size: number };
export type Zone = { name: string; x: number; y: number; width: number; nodes: number };
export type Layout = { spots: Spot[]; zones: Zone[]; width: number; height: number; dense: boolean };

/** Between cells at scale 1; smaller cells stand closer. */
const GAP = 4;
const HEAD = 20;
const BETWEEN = 24;

const byName = new Intl.Collator("en", { numeric: true });

/** Tried from the largest: the first at which the map is not too tall serves. */
const SCALES = [2.4, 2, 1.7, 1.4, 1.2, 1, 0.7, 0.5, 0.36, 0.28, 0.22];
/** The map's height, as a share of its width; on a phone, in pixels. */
const TALLEST = 0.6;
const TALLEST_ON_A_PHONE = 340;

/** Cells of three sizes, by the share of the largest node's cpu and memory. */
function sizes(nodes: readonly Shape[], scale: number): (node: Shape) => number {
  const capacity = (node: Shape, name: string) => node.resources.find((r) => r.name === name)?.capacity ?? 0;
  const most = (name: string) => Math.max(1, ...nodes.map((node) => capacity(node, name)));
  const [cpu, memory] = [most("cpu"), most("memory")];
  return (node) => {
    const share = Math.max(capacity(node, "cpu") / cpu, capacity(node, "memory") / memory);
    return Math.round((share > 0.6 ? 46 : share > 0.25 ? 36 : 28) * scale);
  };
}

export function layout(nodes: readonly Shape[], width: number): Layout {
  const tallest = Math.max(width * TALLEST, TALLEST_ON_A_PHONE);
  const fits = SCALES.find((scale) => scaled(nodes, width, scale).height <= tallest);
  return scaled(nodes, width, fits ?? SCALES.at(-1) ?? 1);
}

function scaled(nodes: readonly Shape[], width: number, scale: number): Layout {
  const members = new Map<string, Shape[]>();
  for (const node of nodes) {
    const zone = node.zone || "no zone";
    const there = members.get(zone);
    if (there) there.push(node);
    else members.set(zone, [node]);
  }
  const zones = [...members].sort(([a], [b]) => a.localeCompare(b));
  const size = sizes(nodes, scale);
  const gap = Math.max(2, Math.round(GAP * Math.min(1, scale)));
  const columns = Math.max(1, Math.min(zones.length, Math.floor((width + BETWEEN) / (150 + BETWEEN))));
  const each = (width - BETWEEN * (columns - 1)) / columns;
  const spots: Spot[] = [];
  const heads: Zone[] = [];
  let top = 0;
  for (let row = 0; row < zones.length; row += columns) {
    let bottom = top;
    for (const [column, [name, members]] of zones.slice(row, row + columns).entries()) {
      const left = column * (each + BETWEEN);
      heads.push({ name, x: left, y: top, width: each, nodes: members.length });
      let [x, y, tallest] = [left, top + HEAD, 0];
      for (const node of [...members].sort((a, b) => size(b) - size(a) || byName.compare(a.name, b.name))) {
        const side = size(node);
        if (x + side > left + each && x > left) {
          x = left;
          y += tallest + gap;
          tallest = 0;
        }
        spots.push({ name: node.name, x, y, size: side });
        x += side + gap;
        tallest = Math.max(tallest, side);
      }
      bottom = Math.max(bottom, y + tallest);
    }
    top = bottom + BETWEEN;
  }
  return { spots, zones: heads, width, height: Math.max(HEAD, top - BETWEEN), dense: scale < 0.7 };
}

/** The nearest cell in the direction of an arrow key. */
export function beside(spots: readonly Spot[], from: number, key: string): number {
  const here = spots[from];
  if (!here) return from;
  const dx = key === "ArrowLeft" ? -1 : key === "ArrowRight" ? 1 : 0;
  const dy = key === "ArrowUp" ? -1 : key === "ArrowDown" ? 1 : 0;
  let best = from;
  let least = Number.POSITIVE_INFINITY;
  for (const [at, there] of spots.entries()) {
    const x = there.x + there.size / 2 - (here.x + here.size / 2);
    const y = there.y + there.size / 2 - (here.y + here.size / 2);
    const along = x * dx + y * dy;
    if (at === from || along <= 0) continue;
    const distance = along + 3 * Math.abs(x * dy + y * dx);
    if (distance < least) [least, best] = [distance, at];
  }
  return best;
}
