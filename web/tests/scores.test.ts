// Bars say how good a score is, and only the shortfall of a sentence stands out.
import { expect, it } from "vitest";
import { most, parts, pieces } from "../src/sections/scores";

const candidate = (name: string, fit: number) => ({
  name,
  total: fit * 2,
  scores: [
    { name: "Fit", value: fit, weight: 2 },
    { name: "Taints", value: 0, weight: 3 },
  ],
});

it("scales bars to what is possible, so that 20 and 90 differ", () => {
  const all = [candidate("a", 90), candidate("b", 20), { name: "34 nodes", failed: [] }];
  expect(most(all)).toBe(500);
  expect(all.map((one) => parts(one, most(all))[0]?.share)).toEqual([36, 8, undefined]);
  expect(parts(candidate("a", 90), 500)[0]).toMatchObject({ name: "Fit", points: 180, weight: 2 });
  expect(most([])).toBe(0);
});

it.each([
  ["needs 500m cpu, 380m free: short 120m", ["short 120m"]],
  ["needs 2.0 Gbit/s, 0.9 free: short 1.1 Gbit/s; and more", ["short 1.1 Gbit/s"]],
  ["1 of 1 allowed pods run: short 1; needs 6 cpu: short 900m, then", ["short 1", "short 900m"]],
  ["needs 2 Gi memory, 1 Gi free: short 1 Gi", ["short 1 Gi"]],
  ["short 1,024Mi. It stays short of nothing", ["short 1,024Mi"]],
  ["short 1 and the rest", ["short 1"]],
  ["taint a=b is not tolerated", []],
])("marks only the shortfall: %s", (text, short) => {
  const found = pieces(text);
  expect(found.map((piece) => piece.text).join("")).toBe(text);
  expect(found.filter((piece) => piece.short).map((piece) => piece.text)).toEqual(short);
});
