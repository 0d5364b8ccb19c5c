// What the scheduler is asked for this section, and the shape of what it says.
import { get, post, refused } from "../../api/client";
import type { Decision, DecisionPage, WhatIf } from "../../api/types";
import type { Bandwidth } from "./interfaces";

/** What was said of a waiting pod last. */
export type Verdict = { reason: string; sentence: string; decision: string; at: number };
export type PendingPod = { namespace: string; name: string; said: Verdict | null; change: string | null };
/** `reasons` counts all of them; `pods` names the first. */
export type Pending = { waiting: number; reasons: { [reason: string]: number }; pods: PendingPod[]; partial?: boolean };

export type Placed = { pod: string; node: string };
export type Workload = { selector: string; order: number; pods: Placed[] };
export type Edge = {
  from: number;
  to: number;
  weight: number;
  maxNetworkCost?: number;
  source: "declared" | "seen" | "both";
  cost: number;
  pairs: number;
  tooFar: number;
};
/** Two nodes, and what the group's pods on them cost each other. */
export type Way = { from: string; to: string; cost: number; tooFar: number };
export type Group = {
  namespace: string;
  name: string;
  workloads: Workload[];
  edges: Edge[];
  cost: number;
  /** The dearest first; `moreWays` counts the rest. */
  ways: Way[];
  moreWays: number;
};
export type Step = { pod: string; from: string; to: string };
/** How it would be: after the moves that are worth it, or with all pods placed anew. */
export type Better = { kind: "moves" | "anew"; group: Group; moves: Step[] };
export type Proposal = {
  now: Group;
  better: Better[];
  pods: number;
  /** How many of them are Keelson's to place. */
  movable: number;
  waits: boolean;
  /** Whether the object allows that pods are moved. */
  allowed: boolean;
};

export type Manifest = { metadata?: Record<string, unknown>; spec?: Record<string, unknown>; [field: string]: unknown };

const ask = <T>(question: string, params: object): Promise<T> => post<T>(`features/scheduling/ask/${question}`, params);

/** The pods that wait: of the whole cluster or, for who may not see all of it, of the namespaces that were seen. */
export async function pending(seen: () => string[]): Promise<Pending> {
  try {
    return await ask<Pending>("pending", {});
  } catch (error) {
    if (!refused(error) || seen().length === 0) throw error;
    const some = await Promise.allSettled(seen().map((namespace) => ask<Pending>("pending", { namespace })));
    const told = some.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    if (told.length === 0) throw error;
    return together(told);
  }
}

export function together(all: readonly Pending[]): Pending {
  const reasons: Pending["reasons"] = {};
  for (const [reason, count] of all.flatMap((one) => Object.entries(one.reasons)))
    reasons[reason] = (reasons[reason] ?? 0) + count;
  const waiting = all.reduce((sum, one) => sum + one.waiting, 0);
  return { waiting, reasons, pods: all.flatMap((one) => one.pods), partial: true };
}

export const groups = async (): Promise<Group[]> => (await ask<{ groups: Group[] }>("groups", {})).groups;

/** A group as it runs, and as it would cost less. */
export const proposal = ({ namespace, name }: { namespace: string; name: string }): Promise<Proposal> =>
  ask<Proposal>("proposal", { namespace, name });

export const bandwidth = (): Promise<Bandwidth> => ask<Bandwidth>("bandwidth", {});

/** The last time a group was placed as a unit. */
export async function placedTogether({ namespace, name }: Group): Promise<Decision | undefined> {
  const query = new URLSearchParams({ reason: "GroupPlaced", kind: "AppGroup", namespace, name, limit: "1" });
  return (await get<DecisionPage>(`decisions?${query}`)).decisions[0];
}

export const manifest = async (namespace: string, name: string): Promise<Manifest> =>
  (await ask<{ pod: Manifest }>("pod", { namespace, name })).pod;

export const whatIf = (pod: Manifest): Promise<WhatIf> => post<WhatIf>("whatif", { pod });
