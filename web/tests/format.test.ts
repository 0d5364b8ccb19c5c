// Numbers read as people write them.
import { expect, it } from "vitest";
import { amount, clock, ofWhole, percent, plural, span, took, unbroken, within } from "../src/ui/format";

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
  expect([3_600e6, 1_200e6].map(within)).toEqual(["hour", "20 min"]);
});

it("says how long deciding took", () => {
  expect([62, 1_500, 2_100_000].map(took)).toEqual(["62 µs", "1.5 ms", "2.1 s"]);
});

it("gives resources their units", () => {
  expect(amount("cpu", 2_000)).toBe("2");
  expect(amount("cpu", 1_500)).toBe("1.5");
  expect(amount("memory", 1_610_612_736)).toBe("1.5 GiB");
  expect(amount("memory", 512)).toBe("512 B");
  expect(amount("hugepages-2Mi", 512 * 2 ** 20)).toBe("512 MiB");
  expect(amount("hugepages-1Gi", 0)).toBe("0 B");
  expect(amount("nvidia.com/gpu", 4)).toBe("4");
});

it("says a part and the whole in one unit", () => {
  expect(ofWhole("cpu", 13_600, 16_000)).toBe("13.6 of 16 cores");
  expect(ofWhole("cpu", 500, 1_000)).toBe("0.5 of 1 core");
  expect(ofWhole("memory", 49.5 * 2 ** 30, 64 * 2 ** 30)).toBe("49.5 of 64 GiB");
  expect(ofWhole("memory", 512 * 2 ** 20, 64 * 2 ** 30)).toBe("0.5 of 64 GiB");
  expect(ofWhole("pods", 12, 110)).toBe("12 of 110");
  expect(ofWhole("memory", 0, 0)).toBe("0 of 0 B");
  expect([amount("memory", 49.5 * 2 ** 30), amount("cpu", 13_600)]).toEqual(["49.5 GiB", "13.6"]);
});

it("says moments that are close apart", () => {
  expect(clock(1_795_640_021_207_000)).toBe("20:53:41.207");
});

it("keeps a number and its unit on one line", () => {
  expect(unbroken("Running after 1.4 s; node-1 cpu at 17.8 % (said 18 %) of 3 shops.")).toBe(
    "Running after 1.4\u00a0s; node-1 cpu at 17.8\u00a0% (said 18\u00a0%) of 3 shops.",
  );
});

it("counts", () => {
  expect([plural(1, "pod waits", "pods wait"), plural(2, "pod waits", "pods wait")]).toEqual([
    "1 pod waits",
    "2 pods wait",
  ]);
  expect([plural(1, "pod"), plural(1_200, "pod"), percent(905)]).toEqual(["1 pod", "1,200 pods", "91 %"]);
});
