// How long to wait before connecting again.
const FIRST = 2_000;
const LONGEST = 30_000;

/** Half to all of a wait that doubles with each failure, in milliseconds. */
export function backoff(failures: number, chance: number): number {
  const full = Math.min(LONGEST, FIRST * 2 ** Math.min(failures, 10));
  return full / 2 + (full / 2) * chance;
}
