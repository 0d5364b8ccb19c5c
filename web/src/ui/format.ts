// Numbers and moments for people.

/** `5 s`, `3 min`, `2 h`, `4 d` between two moments in microseconds. */
export function span(microseconds: number): string {
  const seconds = Math.max(0, Math.floor(microseconds / 1_000_000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** How long deciding took. */
export function took(microseconds: number): string {
  if (microseconds < 1_000) return `${microseconds} µs`;
  if (microseconds < 1_000_000) return `${(microseconds / 1_000).toFixed(1)} ms`;
  return `${(microseconds / 1_000_000).toFixed(1)} s`;
}

const clock = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  timeZone: "UTC",
});
const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit", timeZone: "UTC" });

export const time = (microseconds: number): string => clock.format(microseconds / 1_000);
export const weekday = (microseconds: number): string => day.format(microseconds / 1_000);
export const exact = (microseconds: number): string => new Date(microseconds / 1_000).toISOString();

/** A resource's amount with its unit: cpu in cores, memory in binary units, everything else as it is. */
export function amount(resource: string, value: number): string {
  if (resource === "cpu") return value % 1_000 === 0 ? `${value / 1_000}` : `${(value / 1_000).toFixed(1)}`;
  if (resource === "memory" || resource === "ephemeral-storage") {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let size = value;
    let unit = 0;
    while (size >= 1_024 && unit < units.length - 1) {
      size /= 1_024;
      unit += 1;
    }
    return `${size < 10 && unit > 0 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
  }
  return value.toLocaleString("en-GB");
}

export const percent = (permille: number): string => `${Math.round(permille / 10)} %`;

export const plural = (count: number, one: string): string =>
  `${count.toLocaleString("en-GB")} ${one}${count === 1 ? "" : "s"}`;
