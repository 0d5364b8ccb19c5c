// The newest decisions as a list: each once, newest first, and no more than can be looked at.
import type { Decision, EffectChange, OutcomeChange } from "../api/types";

/** How many of the newest decisions the page keeps. */
export const KEPT = 400;

/** What can happen to a decision, as the stream says it. */
export type Change =
  | { name: "decision"; data: Decision }
  | { name: "outcome"; data: OutcomeChange }
  | { name: "effect"; data: EffectChange };

export const after = (list: readonly Decision[], change: Change): readonly Decision[] =>
  change.name === "decision" ? put(list, change.data, KEPT) : list.map((there) => patched(there, change));

/** A decision after a change, which may be about another: then it is the same object. */
export function patched(there: Decision, change: Change): Decision {
  if (change.data.id !== there.id) return there;
  if (change.name === "decision") return change.data;
  if (change.name === "effect") return { ...there, effect: change.data.effect };
  return { ...there, outcome: change.data.outcome, steps: change.data.steps };
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
