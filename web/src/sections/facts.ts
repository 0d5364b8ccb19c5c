// What a decision says besides its sentence, in words: how many could have been chosen, how fast, and why it was made.
import type { Decision, ObjectRef, Trigger } from "../api/types";
import { named } from "../live/subject";

const whole = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;

/**
 * `3 of 102`: how many nodes could hold it, where that is known for certain. A record shows the best few and the nearest
 * misses only, so counting its rows tells it only where they add up to all nodes.
 */
export function feasible(decision: Decision): string | undefined {
  const nodes = whole(decision.inputs?.nodes);
  if (nodes === undefined) return undefined;
  const said = whole(decision.inputs?.feasible);
  const candidates = decision.candidates ?? [];
  const can = candidates.filter((candidate) => candidate.total !== undefined).length;
  const cannot = candidates.reduce((sum, { failed }) => sum + Math.max(0, ...(failed ?? []).map((c) => c.nodes)), 0);
  const counted = can + cannot === nodes ? can : undefined;
  const told = { OnlyFeasibleNode: 1, Unschedulable: 0 }[decision.reason as string];
  const found = said ?? told ?? counted;
  return found === undefined ? undefined : `${found.toLocaleString("en-GB")} of ${nodes.toLocaleString("en-GB")}`;
}

/** How long it took until the pod ran. */
export const untilRunning = (decision: Decision): string | undefined => decision.effect?.figures?.["running after"];

/** What made the feature look. */
export function because(trigger: Trigger, subject: ObjectRef): string {
  if (trigger === "Timer") return "a deadline or a resync came due";
  if (trigger === "Request") return "a person or a program asked";
  if ("Fact" in trigger) return `the fact ${trigger.Fact} changed`;
  const { Watch: object } = trigger;
  const same = object.kind === subject.kind && named(object) === named(subject);
  return same ? "it changed" : `${object.kind} ${named(object)} changed`;
}

/** `4f2c…91`: enough of an id to tell it from its neighbours. */
export const brief = (id: string): string => (id.length > 9 ? `${id.slice(0, 4)}…${id.slice(-2)}` : id);
