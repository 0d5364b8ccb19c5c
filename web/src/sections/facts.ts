// What a decision says besides its sentence, in words: how many could have been chosen, how fast, and why it was made.
import type { Decision, ObjectRef, Trigger } from "../api/types";
import { named } from "../live/subject";

const whole = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;

/** `3 of 102`: how many nodes could hold it; nothing where none was looked at. */
export function feasible(decision: Decision): string | undefined {
  const [can, all] = [whole(decision.inputs?.feasible), whole(decision.inputs?.nodes)];
  if (can === undefined || all === undefined) return undefined;
  return `${can.toLocaleString("en-GB")} of ${all.toLocaleString("en-GB")}`;
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
