// Filters survive the way through the URL, and say the same as the server.
import { expect, it } from "vitest";
import { matches, read, write } from "../src/sections/filters";

it("survives the URL", () => {
  const filters = { verb: "Wait", namespace: "shop & co", q: "ü?" };
  expect(read(new URLSearchParams(write(filters)))).toEqual(filters);
  expect(write({})).toBe("");
  expect(write({ name: " " }, { limit: "5" })).toBe("?limit=5");
  expect(read(new URLSearchParams("evil=1&name="))).toEqual({});
});

it("matches what the server would", () => {
  const row = {
    feature: "scheduling",
    verb: "Wait",
    reason: "Unschedulable",
    outcome: "NoAction",
    sentence: "No room for Cart",
    subject: { kind: "Pod", namespace: "shop", name: "cart-0" },
  };
  expect(matches({}, row)).toBe(true);
  expect(matches({ namespace: "shop", q: "cart" }, row)).toBe(true);
  expect(matches({ namespace: "shop", reason: "PodPlaced" }, row)).toBe(false);
});
