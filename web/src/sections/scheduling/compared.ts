// Keelson's choice beside another scheduler's, over time: bars of equal spans, the same choice below, another above.
//
// Promises: each comparison is counted once, and as often as it was repeated; what lies outside the window is not; where
// not all of the window was read, it says from when on it was.
import type { Decision } from "../../api/types";

export type Bar = { at: number; same: number; other: number };
export type Series = {
  bars: Bar[];
  same: number;
  other: number;
  /** By how much Keelson's choices scored more, in sum. */
  difference: number;
  /** Those that were bound where Keelson would not have allowed it: no difference can be told. */
  forbidden: number;
  most: number;
};

const BARS = 30;

/** `until` is now; `span` is the window in microseconds. */
export function series(decisions: readonly Decision[], until: number, span: number): Series {
  const each = span / BARS;
  const from = until - span;
  const bars: Bar[] = Array.from({ length: BARS }, (_, at) => ({ at: from + at * each, same: 0, other: 0 }));
  const sum: Series = { bars, same: 0, other: 0, difference: 0, forbidden: 0, most: 0 };
  for (const decision of decisions) {
    const bar = bars[Math.min(BARS - 1, Math.floor((decision.last_at - from) / each))];
    const isOther = decision.reason === "OtherChoice";
    if (!bar || decision.last_at > until + each || !(isOther || decision.reason === "SameChoice")) continue;
    const side = isOther ? "other" : "same";
    bar[side] += decision.count;
    sum[side] += decision.count;
    if (!isOther) continue;
    const difference = Number(decision.inputs?.["score difference"]);
    if (Number.isFinite(difference)) sum.difference += difference * decision.count;
    else sum.forbidden += decision.count;
  }
  sum.most = Math.max(0, ...bars.map((bar) => bar.same + bar.other));
  return sum;
}

export type Column = {
  at: number;
  x: number;
  width: number;
  same: [y: number, height: number];
  other: [number, number];
};

/** The bars as boxes in a picture of this size, from its bottom up. */
export function columns({ bars, most }: Series, width: number, height: number): Column[] {
  const step = width / bars.length;
  const scale = most > 0 ? height / most : 0;
  return bars.map((bar, index) => {
    const [same, other] = [bar.same * scale, bar.other * scale];
    return {
      at: bar.at,
      x: index * step + step * 0.12,
      width: step * 0.76,
      same: [height - same, same],
      other: [height - same - other, other],
    };
  });
}
