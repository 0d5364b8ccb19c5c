// Comparisons over time: each once, as often as it was repeated, in the window only.
import { expect, it } from "vitest";
import { columns, series } from "../src/sections/scheduling/compared";
import { decision } from "./decision";

const NOW = 3_600_000_000;
const same = (at: number, count = 1) => decision(`s${at}`, at, "a", { reason: "SameChoice", verb: "Compare", count });
const other = (at: number, difference?: string) =>
  decision(`o${at}`, at, "a", {
    reason: "OtherChoice",
    verb: "Compare",
    ...(difference === undefined ? {} : { inputs: { "score difference": difference } }),
  });

it("counts each in its bar, and sums up the difference", () => {
  const told = series([same(1), same(NOW - 1, 3), other(NOW - 2, "12"), other(NOW, "30"), other(5)], NOW, NOW);
  expect(told.bars).toHaveLength(30);
  expect(told.bars[0]).toMatchObject({ same: 1, other: 1 });
  expect(told.bars[29]).toMatchObject({ same: 3, other: 2 });
  expect(told).toMatchObject({ same: 4, other: 3, difference: 42, forbidden: 1, most: 5 });
});

it("leaves out what is outside the window, and what compares nothing", () => {
  const placed = decision("p", NOW - 1, "a");
  const unjudged = decision("u", NOW - 1, "a", { verb: "Compare", reason: "UnsupportedFeature" });
  const told = series([same(-5), same(3 * NOW), placed, unjudged], NOW, NOW);
  expect(told).toMatchObject({ same: 0, other: 0, most: 0 });
  expect(columns(told, 600, 96).every((bar) => bar.same[1] === 0 && bar.other[1] === 0)).toBe(true);
});

it("stacks another choice on the same, within the picture", () => {
  const drawn = columns(series([same(NOW - 1, 3), other(NOW - 2, "1")], NOW, NOW), 300, 80);
  const last = drawn.at(-1);
  expect(last?.same).toEqual([20, 60]);
  expect(last?.other).toEqual([0, 20]);
  for (const [at, bar] of drawn.entries()) {
    expect(bar.x + bar.width).toBeLessThanOrEqual(300);
    if (at > 0) expect(bar.x).toBeGreaterThan((drawn[at - 1]?.x ?? 0) + (drawn[at - 1]?.width ?? 0));
  }
});
