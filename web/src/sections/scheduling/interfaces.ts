// The ledger of network interfaces, in numbers and words.

/** One direction, in bits a second. */
export type Ledger = {
  capacity: number;
  usable: number;
  reserved: number;
  measured: number | null;
  taken: number;
  saturated: boolean;
};
export type Interface = {
  name: string;
  zone: string | null;
  egress: Ledger | null;
  ingress: Ledger | null;
  /** Why only what pods reserved counts; null where the measurement counts. */
  unmeasured: string | null;
};
export type Bandwidth = { known: number; nodes: number; saturated: number; interfaces: Interface[] };

const UNITS = [
  ["Tbit/s", 1e12],
  ["Gbit/s", 1e9],
  ["Mbit/s", 1e6],
  ["kbit/s", 1e3],
  ["bit/s", 1],
] as const;

const unit = (bits: number) => UNITS.find(([, size]) => bits >= size) ?? (["bit/s", 1] as const);
const short = (value: number): string => value.toLocaleString("en-GB", { maximumFractionDigits: value < 100 ? 2 : 0 });

/** `2.5 Gbit/s`. */
export function rate(bits: number): string {
  const [name, size] = unit(bits);
  return `${short(bits / size)} ${name}`;
}

/** `8.5 of 12.5 Gbit/s`: a part and the whole, in the unit of the whole. */
export function ofRate(part: number, whole: number): string {
  const [name, size] = unit(whole);
  return `${short(part / size)} of ${short(whole / size)} ${name}`;
}

/** A share of what the interface carries, in percent, never beyond the bar. */
export const share = (bits: number, { capacity }: Ledger): number =>
  capacity > 0 ? Math.min(100, Math.max(0, (100 * bits) / capacity)) : 0;

/** What a bar says, for who does not see it. */
export function said(ledger: Ledger): string {
  const measured = ledger.measured === null ? "" : `, ${rate(ledger.measured)} measured`;
  const state = ledger.saturated ? "; saturated" : ledger.taken >= ledger.usable ? "; full" : "";
  return `${ofRate(ledger.reserved, ledger.capacity)} reserved${measured}${state}`;
}
