// Keeps what was asked for current: what the stream says is put into the answers that are kept, wherever they are shown.
//
// A list keeps its rows and their order (a new decision is laid on top where the list is drawn); one decision learns how
// it ended, what came of it, and what followed from it.
import type { InfiniteData, QueryClient } from "@tanstack/solid-query";
import type { Decision, DecisionDetail, DecisionPage } from "../api/types";
import { type Change, patched } from "../live/list";

/** The first word of the keys under which answers are kept. */
export const KEYS = { list: "decisions", one: "decision", about: "decisions-about" } as const;

export function applyChange(queries: QueryClient, change: Change): void {
  const apply = (there: Decision) => patched(there, change);
  for (const key of [KEYS.list, KEYS.about])
    queries.setQueriesData<InfiniteData<DecisionPage>>({ queryKey: [key] }, (list) => {
      if (!list) return list;
      const rows = (page: DecisionPage) => within(page, { decisions: each(page.decisions, apply) });
      return within(list, { pages: each(list.pages, rows) });
    });
  queries.setQueriesData<DecisionDetail>({ queryKey: [KEYS.one] }, (one) => {
    if (!one) return one;
    return within(one, {
      decision: apply(one.decision),
      causes: each(one.causes, apply),
      consequences: followed(one, each(one.consequences, apply), change),
    });
  });
}

/** With the decision that just followed from this one, oldest first. */
function followed(one: DecisionDetail, consequences: Decision[], change: Change): Decision[] {
  if (change.name !== "decision") return consequences;
  const decision = change.data;
  const isNew = decision.id !== one.decision.id && consequences.every((there) => there.id !== decision.id);
  return isNew && decision.causes?.includes(one.decision.id) ? [...consequences, decision] : consequences;
}

/** The same array when nothing in it changed, so that nothing is drawn again. */
function each<T>(list: T[], change: (item: T) => T): T[] {
  const next = list.map(change);
  return next.every((item, at) => item === list[at]) ? list : next;
}

function within<T extends object>(whole: T, parts: Partial<T>): T {
  const same = Object.entries(parts).every(([name, part]) => whole[name as keyof T] === part);
  return same ? whole : { ...whole, ...parts };
}
