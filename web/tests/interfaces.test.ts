import { expect, test } from "vitest";
import { type Ledger, ofRate, rate, said, share } from "../src/sections/scheduling/interfaces";

const ledger = (more: Partial<Ledger>): Ledger => ({
  capacity: 10e9,
  usable: 9e9,
  reserved: 8.5e9,
  measured: null,
  taken: 8.5e9,
  saturated: false,
  ...more,
});

test("rates are told as the network's people write them", () => {
  expect([0, 999, 1_000, 2.5e6, 12.5e9, 125e9, 1e12].map(rate)).toEqual([
    "0 bit/s",
    "999 bit/s",
    "1 kbit/s",
    "2.5 Mbit/s",
    "12.5 Gbit/s",
    "125 Gbit/s",
    "1 Tbit/s",
  ]);
  expect(ofRate(500e6, 12.5e9)).toBe("0.5 of 12.5 Gbit/s");
});

test("a bar says what is reserved, what is measured and whether there is any left", () => {
  expect(said(ledger({}))).toBe("8.5 of 10 Gbit/s reserved");
  expect(said(ledger({ measured: 9.1e9, taken: 9.1e9 }))).toBe("8.5 of 10 Gbit/s reserved, 9.1 Gbit/s measured; full");
  expect(said(ledger({ measured: 8e9, saturated: true, taken: 9e9 }))).toBe(
    "8.5 of 10 Gbit/s reserved, 8 Gbit/s measured; saturated",
  );
});

test("no share leaves its bar", () => {
  expect([-1, 0, 5e9, 20e9].map((bits) => share(bits, ledger({})))).toEqual([0, 0, 50, 100]);
  expect(share(5, ledger({ capacity: 0 }))).toBe(0);
});
