// Where each decision of a chain of causes stands in its picture.
//
// Columns by depth: this decision in the middle, what led to it to the left, what it led to on the right, each in the
// column of its longest way from here. A line is drawn only where one decision names another as its cause; a line that
// passes a column keeps a lane there, so that it never seems to lead through a card it has nothing to do with.
//
// Promises: no two things of a column overlap; whatever is not drawn is counted where it would stand; the same decisions
// give the same picture; a loop, which nobody should have written, ends.
import type { Decision } from "../api/types";

export type Knot = Pick<Decision, "id" | "at" | "causes" | "cause_count">;
/** `y` is the middle, in heights of a card from the top. */
export type Spot<K> = { knot: K; column: number; y: number };
/** From a cause to what it led to, through the lanes of the columns between. */
export type Line = { from: string; to: string; points: { column: number; y: number }[] };
/** How many are not drawn, and where they would stand. `known` ones could be. */
export type More = { column: number; y: number; count: number; known: boolean };
export type Graph<K> = { spots: Spot<K>[]; lines: Line[]; more: More[]; columns: number; height: number };
export type Room = { columns: number; rows: number };

/** Heights of a lane and of a count, in cards. */
const LANE = 0.35;
const COUNT = 0.5;

type Item = { column: number; height: number; at: number; y: number; left: Item[]; right: Item[] };

export function graph<K extends Knot>(here: K, causes: readonly K[], consequences: readonly K[], room: Room): Graph<K> {
  const all = new Map([here, ...causes, ...consequences].map((knot) => [knot.id, knot]));
  const column = columns(here, causes, consequences);
  const drawn = choose(here, all, column, room);
  const cut = uncounted(all, column, drawn);

  const item = (of: number, height: number, at: number): Item => ({
    column: of,
    height,
    at,
    y: 0,
    left: [],
    right: [],
  });
  const items = new Map([...drawn].map(([id, of]) => [id, item(of, 1, all.get(id)?.at ?? 0)]));
  const lanes: Item[] = [];
  const lines = [...drawn.keys()].flatMap((to) =>
    named(all.get(to)).flatMap((from) => {
      const [start, end] = [items.get(from), items.get(to)];
      if (!start || !end || start.column >= end.column) return [];
      const through = [start];
      for (let at = start.column + 1; at < end.column; at += 1) through.push(item(at, LANE, start.at));
      through.push(end);
      lanes.push(...through.slice(1, -1));
      for (const [at, next] of through.slice(1).entries()) {
        through[at]?.right.push(next);
        next.left.push(through[at] as Item);
      }
      return [{ from, to, through }];
    }),
  );
  const counts = [...cut].map(([of, more]) => ({ more, item: item(of, COUNT, Number.POSITIVE_INFINITY) }));
  stack([...items.values(), ...lanes, ...counts.map((count) => count.item)]);

  const everything = [...items.values(), ...lanes, ...counts.map((count) => count.item)];
  const first = Math.min(...everything.map((one) => one.column));
  const top = Math.min(...everything.map((one) => one.y - one.height / 2));
  const place = (one: Item) => ({ column: one.column - first, y: one.y - top });
  return {
    spots: [...items]
      .map(([id, one]) => ({ knot: all.get(id) as K, ...place(one) }))
      .sort((a, b) => a.column - b.column || a.y - b.y),
    lines: lines.map(({ from, to, through }) => ({ from, to, points: through.map(place) })),
    more: counts.map(({ more, item }) => ({ ...place(item), ...more })),
    columns: Math.max(...everything.map((one) => one.column)) - first + 1,
    height: Math.max(...everything.map((one) => one.y + one.height / 2)) - top,
  };
}

const named = (knot: Knot | undefined): string[] => [...new Set(knot?.causes ?? [])];

/** Each decision's column: 0 is here, causes before it, consequences after it. */
function columns<K extends Knot>(here: K, causes: readonly K[], consequences: readonly K[]): Map<string, number> {
  const found = new Map<string, number>();
  const walk = (knots: readonly K[], sign: 1 | -1) => {
    const side = new Map([here, ...knots].map((knot) => [knot.id, knot]));
    const towards = (id: string) =>
      sign > 0
        ? named(side.get(id)).filter((cause) => side.has(cause))
        : [...side.values()].filter((knot) => named(knot).includes(id)).map((knot) => knot.id);
    const depth = new Map([[here.id, 0]]);
    const measure = (id: string): number => {
      const known = depth.get(id);
      if (known !== undefined) return known;
      // Who comes back here while it is measured is in a loop, which must end.
      depth.set(id, 0);
      const deepest = 1 + Math.max(0, ...towards(id).map(measure));
      depth.set(id, deepest);
      return deepest;
    };
    for (const knot of knots) if (!found.has(knot.id)) found.set(knot.id, sign * measure(knot.id));
  };
  walk(causes, -1);
  walk(consequences, 1);
  return found.set(here.id, 0);
}

/**
 * Which are drawn: from here outwards, in each column those that hang together with what is drawn already; of too many,
 * those with the most ties, which tell more than many alike, then the newest.
 */
function choose<K extends Knot>(here: K, all: Map<string, K>, column: Map<string, number>, room: Room) {
  const [before, after] = [-Math.min(...column.values()), Math.max(...column.values())];
  const sides = Math.max(0, room.columns - 1);
  const right = Math.min(after, Math.max(Math.floor(sides / 2), sides - before));
  const left = Math.min(before, sides - right);
  const drawn = new Map([[here.id, 0]]);
  const ties = new Map<string, number>();
  for (const knot of all.values())
    for (const end of named(knot).flatMap((cause) => (all.has(cause) ? [cause, knot.id] : [])))
      ties.set(end, (ties.get(end) ?? 0) + 1);
  const tied = (knot: K) => ties.get(knot.id) ?? 0;
  const take = (of: number) => {
    const joined = (knot: K) =>
      Math.abs(of) === 1 ||
      (of > 0
        ? named(knot).some((cause) => drawn.has(cause))
        : [...drawn.keys()].some((id) => named(all.get(id)).includes(knot.id)));
    const those = [...all.values()].filter((knot) => column.get(knot.id) === of && joined(knot));
    those.sort((a, b) => tied(b) - tied(a) || b.at - a.at || b.id.localeCompare(a.id));
    for (const knot of those.slice(0, room.rows)) drawn.set(knot.id, of);
  };
  for (let of = -1; of >= -left; of -= 1) take(of);
  for (let of = 1; of <= right; of += 1) take(of);
  return drawn;
}

/** What hangs together with what is drawn and is not, by column. */
function uncounted<K extends Knot>(all: Map<string, K>, column: Map<string, number>, drawn: Map<string, number>) {
  const ids = new Map<number, Set<string>>();
  const unnamed = new Map<number, number>();
  const note = (of: number, id: string) => ids.set(of, (ids.get(of) ?? new Set()).add(id));
  for (const [id, of] of drawn) {
    const knot = all.get(id);
    for (const cause of named(knot)) if (!drawn.has(cause)) note(of - 1, cause);
    const rest = (knot?.cause_count ?? 0) - named(knot).length;
    if (rest > 0) unnamed.set(of - 1, (unnamed.get(of - 1) ?? 0) + rest);
  }
  for (const knot of all.values()) {
    const causes = named(knot).flatMap((cause) => drawn.get(cause) ?? []);
    if (!drawn.has(knot.id) && (column.get(knot.id) ?? 0) > 0 && causes.length > 0)
      note(Math.max(...causes) + 1, knot.id);
  }
  const counts = new Map<number, { count: number; known: boolean }>();
  for (const of of new Set([...ids.keys(), ...unnamed.keys()])) {
    const those = [...(ids.get(of) ?? [])];
    counts.set(of, {
      count: those.length + (unnamed.get(of) ?? 0),
      known: those.some((id) => all.has(id)),
    });
  }
  return counts;
}

/** Stacks each column in the order of what it leads to, and centres it. */
function stack(items: readonly Item[]): void {
  const by = new Map<number, Item[]>();
  for (const item of items) by.set(item.column, [...(by.get(item.column) ?? []), item]);
  const outwards = [...by.keys()].sort((a, b) => Math.abs(a) - Math.abs(b));
  for (const of of outwards) {
    const those = by.get(of) ?? [];
    const middle = (item: Item) => {
      const inner = of <= 0 ? item.right : item.left;
      return inner.reduce((sum, one) => sum + one.y, 0) / Math.max(1, inner.length);
    };
    // A count stands last: its moment is after all others.
    const order = those.map((item) => ({ item, last: item.at === Number.POSITIVE_INFINITY, middle: middle(item) }));
    order.sort((a, b) => Number(a.last) - Number(b.last) || a.middle - b.middle || a.item.at - b.item.at);
    const height = those.reduce((sum, item) => sum + item.height, 0);
    let top = -height / 2;
    for (const { item } of order) {
      item.y = top + item.height / 2;
      top += item.height;
    }
  }
}
