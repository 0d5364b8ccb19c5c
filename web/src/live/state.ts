// What the page knows, kept current by one event stream.
import { createSignal } from "solid-js";
import { createStore, reconcile } from "solid-js/store";
import type { Decision, EffectChange, NodesChange, NodeView, OutcomeChange, Overview } from "../api/types";
import { end, measure, put } from "./chains";
import { merge } from "./merge";

/** How many of the newest decisions the page keeps. */
export const KEPT = 400;

export type Link = { state: "connecting" | "live" | "away"; since: number };

const [link, setLink] = createSignal<Link>({ state: "connecting", since: Date.now() });
const [overview, setOverview] = createStore<{ value?: Overview; heard: number }>({ heard: 0 });
const [nodes, setNodes] = createSignal<ReadonlyMap<string, NodeView>>(new Map());
const [nodesKnown, setNodesKnown] = createSignal(false);
const [recent, setRecent] = createSignal<readonly Decision[]>([]);
const [readOnly, setReadOnly] = createSignal(false);

export { link, nodes, nodesKnown, overview, readOnly, recent, setLink, setReadOnly };

export function hearOverview(value: Overview): void {
  setOverview("value", reconcile(value, { key: "feature" }));
  setOverview("heard", Date.now());
}

export function hearNodes(change: NodesChange): void {
  setNodes((before) => merge(before, change));
  setNodesKnown(true);
}

export const startWith = (decisions: readonly Decision[]): void => void setRecent(decisions.slice(0, KEPT));
export const hearDecision = (decision: Decision): void => void setRecent((list) => put(list, decision, KEPT));
export const hearOutcome = (change: OutcomeChange): void => void setRecent((list) => end(list, change));
export const hearEffect = (change: EffectChange): void => void setRecent((list) => measure(list, change));

/** The cluster's own moment in microseconds: it may run faster than ours. */
export function clusterNow(real: number): number {
  const cluster = overview.value?.cluster;
  if (!cluster) return real * 1_000;
  return cluster.now + Math.max(0, real - overview.heard) * 1_000 * cluster.speed;
}
