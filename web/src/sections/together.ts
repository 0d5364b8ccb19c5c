// What was read and what the stream brought since, as one list in the order of what is shown: when it was first decided.
import type { Decision, DecisionPage } from "../api/types";

/** The id of a decision sorts by the moment it was made; the pages are in this order too. */
const newestFirst = (a: Decision, b: Decision): number => (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);

/** Live decisions take the place of those that were read; what is older than every page read is left to its page. */
export function together(pages: readonly DecisionPage[], live: readonly Decision[]): Decision[] {
  const read = pages.flatMap((page) => page.decisions);
  const last = pages.at(-1);
  const oldest = last?.next ? (read.at(-1)?.id ?? "") : "";
  const rows = new Map(read.map((decision) => [decision.id, decision]));
  for (const decision of live) if (rows.has(decision.id) || decision.id >= oldest) rows.set(decision.id, decision);
  return [...rows.values()].sort(newestFirst);
}
