// How long to wait before connecting again: twice as long after each failure, and never all browsers at the same moment.

/** The first wait where the server names none, in milliseconds. */
export const FIRST = 1_000;
/** No wait is longer: a server that came back is found within a minute. */
export const LONGEST = 60_000;

/** A wait in milliseconds: from `first` to twice as long, doubled with each failure. `chance` is from 0 to 1. */
export function backoff(failures: number, chance: number, first = FIRST): number {
  const full = Math.min(LONGEST, Math.max(first, FIRST) * 2 ** Math.min(failures + 1, 16));
  return full / 2 + (full / 2) * chance;
}
