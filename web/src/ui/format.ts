// Numbers and moments for people.

/** `5 s`, `3 min`, `2 h`, `4 d` between two moments in microseconds. */
export function span(microseconds: number): string {
  const seconds = Math.max(0, Math.floor(microseconds / 1_000_000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** `hour`, `20 min`: a window of time, as it reads after "in the last". */
export const within = (microseconds: number): string => (microseconds === 3_600_000_000 ? "hour" : span(microseconds));

/** How long deciding took. */
export function took(microseconds: number): string {
  if (microseconds < 1_000) return `${microseconds} µs`;
  if (microseconds < 1_000_000) return `${(microseconds / 1_000).toFixed(1)} ms`;
  return `${(microseconds / 1_000_000).toFixed(1)} s`;
}

const hands = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  timeZone: "UTC",
});
const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit", timeZone: "UTC" });

export const time = (microseconds: number): string => hands.format(microseconds / 1_000);
export const weekday = (microseconds: number): string => day.format(microseconds / 1_000);
/** `20:53:41.207`: a moment of which others are close. */
export const clock = (microseconds: number): string => exact(microseconds).slice(11, 23);
export const exact = (microseconds: number): string => new Date(microseconds / 1_000).toISOString();

const BYTES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const isBytes = (resource: string) =>
  ["memory", "ephemeral-storage"].includes(resource) || /^hugepages-/.test(resource);
/** One decimal, unless it says nothing. */
const short = (value: number): string =>
  value.toLocaleString("en-GB", { maximumFractionDigits: value < 1_000 ? 1 : 0, useGrouping: true });

/** An amount in the unit in which `scale` reads well: cores, binary units of bytes, or as it is. */
function inUnit(resource: string, value: number, scale: number): [text: string, unit: string] {
  if (resource === "cpu") return [short(value / 1_000), scale === 1_000 ? "core" : "cores"];
  if (!isBytes(resource)) return [value.toLocaleString("en-GB"), ""];
  const unit = scale >= 1 ? Math.min(BYTES.length - 1, Math.floor(Math.log2(scale) / 10)) : 0;
  return [short(value / 1_024 ** unit), BYTES[unit] ?? "B"];
}

/** A resource's amount: cpu in cores without the word, memory in binary units, everything else as it is. */
export function amount(resource: string, value: number): string {
  const [text, unit] = inUnit(resource, value, value);
  return isBytes(resource) ? `${text} ${unit}` : text;
}

/** `13.6 of 16 cores`, `49.5 of 64 GiB`: a part of a resource and the whole, in the unit of the whole. */
export function ofWhole(resource: string, part: number, whole: number): string {
  const [[some], [all, unit]] = [inUnit(resource, part, whole), inUnit(resource, whole, whole)];
  return `${some} of ${all}${unit ? ` ${unit}` : ""}`;
}

/** A sentence whose numbers stay on the line with their units. */
export const unbroken = (sentence: string): string =>
  sentence.replace(/(\d) (?=(%|[µm]?s|min|h|d)(?!\w))/g, "$1\u00a0");

export const percent = (permille: number): string => `${Math.round(permille / 10)} %`;

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString("en-GB")} ${count === 1 ? one : many}`;
