// How a decision ended, as a colour with a word: colour alone says nothing to some.
import type { Decision } from "../api/types";

export type Tone = "good" | "wait" | "bad" | "would" | "quiet";

export function tone(decision: Pick<Decision, "outcome" | "verb">): Tone {
  if (decision.outcome === "Failed") return "bad";
  if (decision.outcome === "Would" || decision.verb === "Compare") return "would";
  if (["Wait", "Preempt", "Refuse"].includes(decision.verb) || decision.outcome === "Pending") return "wait";
  return decision.outcome === "Done" ? "good" : "quiet";
}

/** The verb as a person would say it, with what became of it. */
export function word(decision: Pick<Decision, "outcome" | "reason">): string {
  if (decision.outcome === "Pending") return `${decision.reason}, under way`;
  if (decision.outcome === "Failed") return `${decision.reason}, failed`;
  return decision.reason;
}
