// Filters survive the way through the URL, and say the same as the server: its test reads the same vectors.
import { expect, it } from "vitest";
import openapi from "../openapi.json";
import { CHOICES, type Filters, fromField, matches, moment, read, toField, write } from "../src/sections/filters";
import { row, vectors } from "./filter-vectors.json";

it("survives the URL", () => {
  const filters = { verb: "Wait", namespace: "shop & co", q: "ü?", since: "2026-11-25T20:53:41Z" };
  expect(read(new URLSearchParams(write(filters)))).toEqual(filters);
  expect(write({})).toBe("");
  expect(write({ name: " " }, { limit: "5" })).toBe("?limit=5");
  expect(read(new URLSearchParams("evil=1&name="))).toEqual({});
});

it.each(vectors.map((vector) => [JSON.stringify(vector.filters), vector] as const))(
  "matches %s as the server would",
  (_, vector) => {
    expect(matches(vector.filters as Filters, row)).toBe(vector.matches);
  },
);

it("offers the words of the API, all of them", () => {
  const { schemas } = openapi.components;
  expect(CHOICES).toEqual({
    verb: schemas.Verb.enum,
    reason: schemas.Reason.enum,
    outcome: schemas.Outcome.enum,
  });
});

it("takes moments from a form in UTC, and gives them back", () => {
  expect(fromField("2026-11-25T20:53")).toBe("2026-11-25T20:53:00Z");
  expect(toField("2026-11-25T20:53:41Z")).toBe("2026-11-25T20:53:41");
  expect(toField("1795640021000000")).toBe("2026-11-25T20:53:41");
  expect([toField("tomorrow"), fromField(""), moment("")]).toEqual(["", "", undefined]);
});
