// From the columns of a graph to pixels: side by side where there is room, below each other where there is not.
//
// Below each other, lines run in the margin, each as an arc as wide as the way it goes, so that none leads through a card.
import type { Graph, Line, More } from "./graph";

export type Box = { x: number; y: number; width: number; height: number };
export type Picture<K> = {
  cards: (Box & { knot: K })[];
  more: (Box & More)[];
  lines: { from: string; to: string; path: string }[];
  width: number;
  height: number;
};

/** Below this width cards stand below each other. */
const NARROW = 640;
const CARD = { least: 156, most: 236, height: 62, apart: 14 };
const BETWEEN = 46;
/** The margin for arcs, and its part that the widest may use. */
const MARGIN = 42;
const COUNT_HEIGHT = 24;

/** How many columns have room side by side; below each other all have. */
export function columnsAt(width: number): number {
  if (width < NARROW) return Number.POSITIVE_INFINITY;
  return Math.max(3, Math.floor((width + BETWEEN) / (CARD.least + BETWEEN)));
}

export function picture<K extends { id: string }>(graph: Graph<K>, width: number): Picture<K> {
  return width < NARROW ? below(graph, width) : beside(graph, width);
}

function beside<K>(graph: Graph<K>, width: number): Picture<K> {
  const card = Math.min(CARD.most, Math.floor((width - BETWEEN * (graph.columns - 1)) / graph.columns));
  const left = (column: number) => column * (card + BETWEEN);
  const middle = (y: number) => y * (CARD.height + CARD.apart) - CARD.apart / 2;
  const path = ({ points }: Line) => {
    const [first, ...rest] = points.map((point, at) => ({
      in: left(point.column) - (at > 0 && at < points.length - 1 ? BETWEEN / 2 : 0),
      out: left(point.column) + card + (at > 0 && at < points.length - 1 ? BETWEEN / 2 : 0),
      y: middle(point.y),
    }));
    let drawn = `M${first?.out ?? 0} ${first?.y ?? 0}`;
    let from = { x: first?.out ?? 0, y: first?.y ?? 0 };
    for (const to of rest) {
      const bend = (from.x + to.in) / 2;
      drawn += `C${bend} ${from.y} ${bend} ${to.y} ${to.in} ${to.y}`;
      if (to !== rest.at(-1)) drawn += `H${to.out}`;
      from = { x: to.out, y: to.y };
    }
    return `${drawn}${head(from.x - card, from.y)}`;
  };
  return {
    cards: graph.spots.map(({ knot, column, y }) => ({
      knot,
      x: left(column),
      y: middle(y) - CARD.height / 2,
      width: card,
      height: CARD.height,
    })),
    more: graph.more.map((more) => ({
      ...more,
      x: left(more.column),
      y: middle(more.y) - COUNT_HEIGHT / 2,
      width: card,
      height: COUNT_HEIGHT,
    })),
    lines: graph.lines.map((line) => ({ from: line.from, to: line.to, path: path(line) })),
    width: left(graph.columns - 1) + card,
    height: Math.ceil(graph.height * (CARD.height + CARD.apart)) - CARD.apart,
  };
}

function below<K extends { id: string }>(graph: Graph<K>, width: number): Picture<K> {
  const cards: Picture<K>["cards"] = [];
  const more: Picture<K>["more"] = [];
  let top = 0;
  const box = (height: number): Box => {
    const placed = { x: MARGIN, y: top, width: width - MARGIN, height };
    top += height + 8;
    return placed;
  };
  for (let column = 0; column < graph.columns; column += 1) {
    for (const spot of graph.spots) if (spot.column === column) cards.push({ knot: spot.knot, ...box(CARD.height) });
    for (const count of graph.more) if (count.column === column) more.push({ ...count, ...box(COUNT_HEIGHT) });
  }
  const at = new Map(cards.map((card, index) => [card.knot.id, { y: card.y + card.height / 2, index }]));
  const farthest = Math.max(2, cards.length);
  const path = ({ from, to }: Line) => {
    const [start, end] = [at.get(from), at.get(to)];
    if (!start || !end) return "";
    const out = MARGIN - 10 - ((MARGIN - 12) * Math.abs(end.index - start.index)) / farthest;
    // A cause's line leaves below its middle and one arrives above it, so that the two are told apart.
    const [y0, y1] = [start.y + 9, end.y - 9];
    return `M${MARGIN} ${y0}C${out} ${y0} ${out} ${y0} ${out} ${Math.min(y0 + 16, (y0 + y1) / 2)}V${Math.max(y1 - 16, (y0 + y1) / 2)}C${out} ${y1} ${out} ${y1} ${MARGIN} ${y1}${head(MARGIN, y1)}`;
  };
  return {
    cards,
    more,
    lines: graph.lines.map((line) => ({ from: line.from, to: line.to, path: path(line) })),
    width,
    height: Math.max(0, top - 8),
  };
}

/** The head of an arrow that points right and ends here. */
const head = (x: number, y: number): string => `M${x - 6} ${y - 4}L${x - 1} ${y}L${x - 6} ${y + 4}`;
