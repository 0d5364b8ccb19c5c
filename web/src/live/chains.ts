// Folds a stream of decisions into chains: what led to what, and everything about one subject, told once.
import type { Decision } from "../api/types";

export type Chain = { key: string; decisions: Decision[]; at: number };

/** Newest chain first; within a chain, oldest decision first. */
export function chains(decisions: readonly Decision[]): Chain[] {
  const byId = new Set(decisions.map((decision) => decision.id));
  const root = new Map<string, string>();
  const oldestFirst = [...decisions].sort((a, b) => a.at - b.at);
  const bySubject = new Map<string, string>();
  const found = new Map<string, Chain>();
  for (const decision of oldestFirst) {
    const cause = (decision.causes ?? []).find((id) => byId.has(id));
    const subject = `${decision.feature} ${decision.subject.kind} ${decision.subject.namespace ?? ""}/${decision.subject.name}`;
    const key = (cause && root.get(cause)) ?? bySubject.get(subject) ?? decision.id;
    root.set(decision.id, key);
    bySubject.set(subject, key);
    const chain = found.get(key) ?? { key, decisions: [], at: 0 };
    chain.decisions.push(decision);
    chain.at = Math.max(chain.at, decision.last_at);
    found.set(key, chain);
  }
  return [...found.values()].sort((a, b) => b.at - a.at);
}
