// What a proposal is worth, what it takes, and who would carry it out.
import { percent, plural } from "../../ui/format";
import type { Better, Proposal } from "./answers";

export type Worth = { saved: number; share: string; evictions: number };

export function worth({ now }: Proposal, { group, moves }: Better): Worth {
  const saved = now.cost - group.cost;
  return { saved, share: percent((1_000 * saved) / Math.max(1, now.cost)), evictions: moves.length };
}

/** The annotation of an AppGroup with which its pods may be moved. */
export const DRIFT = "keelson.dev/drift: move";

/** What becomes of it. */
export function becomes(proposal: Proposal, { kind }: Better): string {
  if (proposal.waits) return "A pod of it waits for a node: until it has one, nothing is moved.";
  if (kind === "anew")
    return "Keelson does not do this by itself: delete these pods at once, and they are placed as a unit.";
  return proposal.allowed
    ? "Keelson evicts one pod at a time, as budgets allow, and rests for an hour after each of a workload."
    : `Nothing is moved: annotate the AppGroup with ${DRIFT} to allow it.`;
}

/** Why nothing is proposed. */
export function nothing({ pods, movable }: Proposal): string {
  if (pods > MOST) return `Where its pods would cost less is not looked for: ${pods} are more than ${MOST}.`;
  if (pods > 0 && movable === 0) return "Other schedulers placed its pods: Keelson moves none of them.";
  if (movable < pods)
    return `No place was found where it would cost less; ${plural(pods - movable, "pod")} of it Keelson may not move.`;
  return "No place was found where it would cost less.";
}

/** As the server has it. */
const MOST = 500;
