// Folds a stream of decisions into chains: what led to what, and everything about one subject, told once.
import type { Decision, EffectChange, OutcomeChange } from "../api/types";

export type Chain = { key: string; decisions: Decision[]; at: number };

/** Newest chain first; within a chain, oldest decision first. */
export function chains(decisions: readonly Decision[], most: number): Chain[] {
  const byId = new Map(decisions.map((decision) => [decision.id, decision]));
  const root = new Map<string, string>();
  const oldestFirst = [...decisions].sort((a, b) => a.at - b.at);
  const bySubject = new Map<string, string>();
  for (const decision of oldestFirst) {
    const cause = (decision.causes ?? []).find((id) => byId.has(id));
    const subject = `${decision.feature} ${decision.subject.kind} ${decision.subject.namespace ?? ""}/${decision.subject.name}`;
    const key = (cause && root.get(cause)) ?? bySubject.get(subject) ?? decision.id;
    root.set(decision.id, key);
    bySubject.set(subject, key);
  }
  const found = new Map<string, Chain>();
  for (const decision of oldestFirst) {
    const key = root.get(decision.id) ?? decision.id;
    const chain = found.get(key) ?? { key, decisions: [], at: 0 };
    chain.decisions.push(decision);
    chain.at = Math.max(chain.at, decision.last_at);
    found.set(key, chain);
  }
  return [...found.values()].sort((a, b) => b.at - a.at).slice(0, most);
}

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
