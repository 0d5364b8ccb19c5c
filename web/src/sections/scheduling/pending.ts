// Waiting pods by reason and, within a reason, by what would help: forty pods of one deployment are one thing to do.
//
// Promises: every pod is in one place; a reason counts all that there are, named or not; the most frequent comes first.
import type { Pending, PendingPod } from "./answers";

/** Pods that the same would help. */
export type Help = { fix: string; tried: boolean; sentence: string; decision: string | undefined; pods: PendingPod[] };
export type Reason = { reason: string; meaning: string; count: number; namespaces: string[]; helps: Help[] };

const NOT_TRIED = "NotTried";

/** What a reason means and, where trying found nothing better, what to do. */
const WORDS: { [reason: string]: [meaning: string, fix: string] } = {
  NotTried: ["Nothing was said of it yet.", "It is tried next."],
  Unschedulable: [
    "No node can hold it now.",
    "No smaller request alone would help: its newest decision names the nearest nodes and what each lacks.",
  ],
  PoolEmpty: [
    "Keelson has a pool of nodes for itself, and no node is in it.",
    "Label nodes keelson.dev/pool=scheduling and taint them so, or choose layout Shared in the Platform.",
  ],
  OtherSchedulerLeads: [
    "Keelson is to replace kube-scheduler, which still leads.",
    "Stop kube-scheduler: Keelson takes over when its Lease has run out.",
  ],
  RoomByEviction: ["Pods of lower priority make room for it.", "Nothing to do: it is placed when they are gone."],
  EvictionsAwaited: [
    "Room for it would break a disruption budget, and evictions for other pods are under way.",
    "Nothing to do: it is tried again when they are answered.",
  ],
  GroupIncomplete: [
    "Its AppGroup is placed together, and not all of it has a place.",
    "Create the pods that are missing, or make room for all of them.",
  ],
  VolumesFirst: ["Its node is chosen, its volumes are not there yet.", "Nothing to do: it is bound when they are."],
  UnsupportedFeature: [
    "It asks for something that this version does not implement.",
    "Take the field out, or name another scheduler in spec.schedulerName.",
  ],
  SchedulingGated: ["Its scheduling gates hold it.", "Remove the gates when what they wait for is there."],
  InvalidField: ["A field of it cannot be read.", "Mend the field that the sentence names."],
  SchedulerNotEnforcing: [
    "It names Keelson as its scheduler, which only looks.",
    "Switch Scheduling to Enforce in Settings, or name another scheduler in spec.schedulerName.",
  ],
};
const OTHER: [string, string] = ["It waits.", "Its newest decision tells more."];

export function grouped(pending: Pending): Reason[] {
  const found = new Map<string, Map<string, Help>>();
  for (const pod of pending.pods) {
    const reason = pod.said?.reason ?? NOT_TRIED;
    const helps = found.get(reason) ?? new Map<string, Help>();
    found.set(reason, helps);
    const fix = pod.change ? asSentence(pod.change) : (WORDS[reason] ?? OTHER)[1];
    const sentence = apart(pod.said?.sentence ?? "", pod.change);
    const key = `${fix}\n${sentence}`;
    const help = helps.get(key) ?? {
      fix,
      tried: pod.change !== null,
      sentence,
      decision: pod.said?.decision,
      pods: [],
    };
    help.pods.push(pod);
    helps.set(key, help);
  }
  const reasons = Object.entries(pending.reasons).map(([reason, count]) => {
    const helps = [...(found.get(reason)?.values() ?? [])].sort((a, b) => b.pods.length - a.pods.length);
    const namespaces = [...new Set(helps.flatMap((help) => help.pods.map((pod) => pod.namespace)))].sort();
    return { reason, meaning: (WORDS[reason] ?? OTHER)[0], count, namespaces, helps };
  });
  return reasons.sort((a, b) => b.count - a.count || a.reason.localeCompare(b.reason));
}

/** A sentence without the change that would help, which is said for itself. */
export const apart = (sentence: string, change: string | null | undefined): string =>
  change ? sentence.replace(` ${change}.`, "") : sentence;

const asSentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;
