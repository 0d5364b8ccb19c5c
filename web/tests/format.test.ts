// Numbers read as people write them.
import { expect, it } from "vitest";
import { amount, percent, plural, span, took } from "../src/ui/format";

it("says spans in the unit that fits", () => {
  expect([0, 89, 90, 5_399, 5_400, 129_600].map((seconds) => span(seconds * 1e6))).toEqual([
    "0 s",
    "89 s",
    "2 min",
    "90 min",
    "2 h",
    "2 d",
  ]);
  expect(span(-5)).toBe("0 s");
});

it("says how long deciding took", () => {
  expect([62, 1_500, 2_100_000].map(took)).toEqual(["62 µs", "1.5 ms", "2.1 s"]);
});

it("gives resources their units", () => {
  expect(amount("cpu", 2_000)).toBe("2");
  expect(amount("cpu", 1_500)).toBe("1.5");
  expect(amount("memory", 1_610_612_736)).toBe("1.5 GiB");
  expect(amount("memory", 512)).toBe("512 B");
  expect(amount("nvidia.com/gpu", 4)).toBe("4");
});

it("counts", () => {
  expect([plural(1, "pod"), plural(1_200, "pod"), percent(905)]).toEqual(["1 pod", "1,200 pods", "91 %"]);
});
