// The newest decisions as a list: each once, newest first, and no more than can be looked at.
import type { Decision, EffectChange, OutcomeChange } from "../api/types";

/** How many of the newest decisions the page keeps. */
export const KEPT = 400;

/** What can happen to a decision, as the stream says it. */
export type Change =
  | { name: "decision"; data: Decision }
  | { name: "outcome"; data: OutcomeChange }
  | { name: "effect"; data: EffectChange };

export function after(list: readonly Decision[], change: Change): readonly Decision[] {
  if (change.name === "decision") return put(list, change.data, KEPT);
  return change.name === "outcome" ? end(list, change.data) : measure(list, change.data);
}

/** The list as it was read, and then what was heard while it was on its way. */
export const caughtUp = (read: readonly Decision[], heard: readonly Change[]): readonly Decision[] =>
  heard.reduce(after, read.slice(0, KEPT));

/** The list with a decision put in its place: newest first, each id once, at most `most`. */
export function put(list: readonly Decision[], decision: Decision, most: number): Decision[] {
  const rest = list.filter((there) => there.id !== decision.id);
  const at = rest.findIndex((there) => there.last_at <= decision.last_at);
  rest.splice(at < 0 ? rest.length : at, 0, decision);
  return rest.slice(0, most);
}

export function end(list: readonly Decision[], change: OutcomeChange): Decision[] {
  return list.map((there) =>
    there.id === change.id ? { ...there, outcome: change.outcome, steps: change.steps } : there,
  );
}

export function measure(list: readonly Decision[], change: EffectChange): Decision[] {
  return list.map((there) => (there.id === change.id ? { ...there, effect: change.effect } : there));
}
