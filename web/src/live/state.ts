// What the page knows, and how it learns more from what the stream says.
import { batch, createSignal } from "solid-js";
import { createStore, reconcile, unwrap } from "solid-js/store";
import type { Decision, NodesChange, NodeView, Overview } from "../api/types";
import { after, type Change } from "./list";
import { Nodes } from "./nodes";
import type { Link } from "./stream";

/** An event of the stream, its data read. */
export type Said = Change | { name: string; data: unknown };

/** Why the newest decisions could not be read, and what to do. */
export type Trouble = { message: string; fix: string };

const [link, setLink] = createSignal<Link>({ state: "connecting", since: Date.now() });
const [overview, setOverview] = createStore<{ value?: Overview; heard: number }>({ heard: 0 });
const [recent, setRecent] = createSignal<readonly Decision[]>([]);
const [recentKnown, setRecentKnown] = createSignal(false);
const [recentTrouble, setRecentTrouble] = createSignal<Trouble>();
const [readOnly, setReadOnly] = createSignal(false);

export const nodes = new Nodes();
export { link, overview, readOnly, recent, recentKnown, recentTrouble, setLink };

export const isChange = (said: Said): said is Change => ["decision", "outcome", "effect"].includes(said.name);

export function hear(said: readonly Said[]): void {
  batch(() => {
    for (const one of said) {
      if (isChange(one)) setRecent((list) => after(list, one));
      else if (one.name === "overview") hearOverview(one.data as Overview, Date.now());
      else if (one.name === "nodes") nodes.hear(one.data as NodesChange);
      else if (one.name === "hello") setReadOnly((one.data as { read_only: boolean }).read_only);
    }
  });
}

function hearOverview(value: Overview, heard: number): void {
  setOverview("value", reconcile(value, { key: "feature" }));
  setOverview("heard", heard);
}

/** The newest decisions were read, or could not be. */
export function learn(read: readonly Decision[] | Trouble): void {
  batch(() => {
    if ("message" in read) {
      setRecentTrouble(read);
    } else {
      setRecent(read);
      setRecentKnown(true);
      setRecentTrouble(undefined);
    }
  });
}

/** Everything the page knows, as one tab tells it to another. */
export type Known = {
  link: Link;
  overview: Overview | undefined;
  heard: number;
  nodes: NodeView[] | undefined;
  recent: readonly Decision[];
  recentKnown: boolean;
  trouble: Trouble | undefined;
  readOnly: boolean;
};

export const known = (): Known => ({
  link: link(),
  overview: unwrap(overview.value),
  heard: overview.heard,
  nodes: nodes.known() ? nodes.all() : undefined,
  recent: recent(),
  recentKnown: recentKnown(),
  trouble: recentTrouble(),
  readOnly: readOnly(),
});

export function take(all: Known): void {
  batch(() => {
    setLink(all.link);
    if (all.overview) hearOverview(all.overview, all.heard);
    if (all.nodes) nodes.hear({ version: 0, full: true, nodes: all.nodes, removed: [] });
    setRecent(all.recent);
    setRecentKnown(all.recentKnown);
    setRecentTrouble(all.trouble);
    setReadOnly(all.readOnly);
  });
}

/** The cluster's own moment in microseconds: it may run faster than ours. */
export function clusterNow(real: number): number {
  const cluster = overview.value?.cluster;
  if (!cluster) return real * 1_000;
  return cluster.now + Math.max(0, real - overview.heard) * 1_000 * cluster.speed;
}
