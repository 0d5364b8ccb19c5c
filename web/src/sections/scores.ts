// Scores as shares of what is possible, and the shortfall in a failed check.
import type { Candidate } from "../api/types";

/** Every part is scored from 0 to this, before its weight. */
const FULL = 100;

/** The highest total there can be: every part at its full score. Bars are drawn against it, so that 20 and 90 differ. */
export function most(candidates: readonly Candidate[]): number {
  const weights = new Map(candidates.flatMap((one) => (one.scores ?? []).map((score) => [score.name, score.weight])));
  return [...weights.values()].reduce((sum, weight) => sum + weight * FULL, 0);
}

export type Part = { name: string; value: number; weight: number; points: number; share: number };

/** The parts of a candidate's total, each with its points and its share of `possible` in percent. */
export function parts(candidate: Candidate, possible: number): Part[] {
  return (candidate.scores ?? []).map(({ name, value, weight }) => {
    const points = value * weight;
    return { name, value, weight, points, share: possible > 0 ? (100 * Math.max(0, points)) / possible : 0 };
  });
}

/** `short 120m`, `short 1.1 Gbit/s`, `short 2`: the word, the amount and its unit. */
const SHORT = /\bshort \d+(?:[.,]\d+)*[\p{L}%]*(?: (?:[kKMGTPE]i?)?(?:bit\/s|B\/s|B|cores?|pods?)?(?![\p{L}/]))?/gu;

/** A sentence in pieces; those that are a shortfall are what the eye looks for. */
export function pieces(text: string): { text: string; short: boolean }[] {
  const found: { text: string; short: boolean }[] = [];
  let from = 0;
  for (const match of text.matchAll(SHORT)) {
    const short = match[0].trimEnd();
    if (match.index > from) found.push({ text: text.slice(from, match.index), short: false });
    found.push({ text: short, short: true });
    from = match.index + short.length;
  }
  if (from < text.length) found.push({ text: text.slice(from), short: false });
  return found;
}
