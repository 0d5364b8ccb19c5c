// Chains that say the same of one owner's objects are told once, with how many they are: eight pods of one deployment
// that were placed the same way are one piece of news.
import type { Decision, ObjectRef } from "../api/types";
import type { Chain } from "./chains";

/** Chains that end alike, newest first. The key is that of the oldest, so that it stays while others join. */
export type Alike = { key: string; owner: string; chains: Chain[]; at: number };

/** One step of alike chains: the newest decision of its kind, and of how many subjects it was said, or how often. */
export type Told = { decision: Decision; count: number };

/** The letters of names that Kubernetes makes up: no vowels, nothing that looks like another. */
const MADE_UP = "[bcdfghjklmnpqrstvwxz2456789]";
const REPLICA = new RegExp(`^(.+?)(?:-${MADE_UP}{6,10})?-${MADE_UP}{5}$`);
const NUMBERED = /^(.+?)-\d+$/;

/** Whose object it is, as far as its name tells: `cart` of `cart-7d9c5b4f6d-x2x8k`, `db` of `db-0`. */
export function owner(object: ObjectRef): string {
  if (object.kind !== "Pod") return object.name;
  return (REPLICA.exec(object.name) ?? NUMBERED.exec(object.name))?.[1] ?? object.name;
}

/** What a sentence says apart from the names and numbers in it: its first clause is enough. */
export function shape(decision: Decision): string {
  const names = new Set([decision.subject.name, decision.chosen]);
  const [clause = ""] = decision.sentence.split(/[:.,;]\s/, 1);
  return clause.replace(/[\w.-]+/g, (word) => (names.has(word) ? "_" : word.replace(/\d+/g, "0")));
}

/** At most `most` groups, newest first. */
export function alike(chains: readonly Chain[], most: number): Alike[] {
  const found = new Map<string, Alike>();
  for (const chain of chains) {
    const last = chain.decisions.at(-1);
    if (!last) continue;
    const { feature, subject } = last;
    const steps = folded(chain.decisions).map((step) => said(step.decision));
    const whose = owner(subject);
    const same = [feature, subject.kind, subject.namespace, whose, ...steps, shape(last)].join("\n");
    const group = found.get(same) ?? { key: "", owner: whose, chains: [], at: chain.at };
    group.chains.push(chain);
    found.set(same, group);
  }
  return [...found.values()].slice(0, most).map((group) => ({ ...group, key: oldest(group.chains).key }));
}

const oldest = (chains: readonly Chain[]): Chain =>
  chains.reduce((a, b) => ((b.decisions[0]?.at ?? 0) < (a.decisions[0]?.at ?? 0) ? b : a));

/** The steps of the newest chain. Of one chain each counts how often it was said, of several of how many. */
export function steps(group: Alike): Told[] {
  const [newest] = group.chains;
  const told = folded(newest?.decisions ?? []);
  return group.chains.length === 1 ? told : told.map((step) => ({ ...step, count: group.chains.length }));
}

/** What a step says: that its actions are under way, done, or were none is not news of its own. */
const said = ({ reason, outcome }: Decision): string =>
  outcome === "Failed" || outcome === "Would" ? `${reason} ${outcome}` : reason;

/** Neighbours that say the same become one step. */
function folded(decisions: readonly Decision[]): Told[] {
  const told: Told[] = [];
  for (const decision of decisions) {
    const last = told.at(-1);
    if (last && said(last.decision) === said(decision)) {
      told[told.length - 1] = { decision, count: last.count + decision.count };
    } else {
      told.push({ decision, count: decision.count });
    }
  }
  return told;
}
