// An object's name for people, its page, and what a person types to find it.
import type { ObjectRef } from "../api/types";
import { path } from "./router";
import { nodes, recent } from "./state";

export const named = (object: ObjectRef): string =>
  object.namespace ? `${object.namespace}/${object.name}` : object.name;

export const kindOf = (object: ObjectRef): string => (object.group ? `${object.kind}.${object.group}` : object.kind);

export const subjectPath = (object: ObjectRef): string =>
  path("subject", kindOf(object), object.namespace || "-", object.name);

/** The words a person uses for kinds, as kubectl takes them. */
const KINDS: Record<string, string> = {
  po: "Pod",
  pod: "Pod",
  pods: "Pod",
  no: "Node",
  node: "Node",
  nodes: "Node",
  deploy: "Deployment.apps",
  deployment: "Deployment.apps",
  deployments: "Deployment.apps",
  rs: "ReplicaSet.apps",
  replicaset: "ReplicaSet.apps",
  replicasets: "ReplicaSet.apps",
  sts: "StatefulSet.apps",
  statefulset: "StatefulSet.apps",
  statefulsets: "StatefulSet.apps",
  ds: "DaemonSet.apps",
  daemonset: "DaemonSet.apps",
  daemonsets: "DaemonSet.apps",
  job: "Job.batch",
  jobs: "Job.batch",
  platform: "Platform.keelson.dev",
  ag: "AppGroup.appgroup.diktyo.x-k8s.io",
  appgroup: "AppGroup.appgroup.diktyo.x-k8s.io",
  appgroups: "AppGroup.appgroup.diktyo.x-k8s.io",
  nt: "NetworkTopology.networktopology.diktyo.x-k8s.io",
  networktopology: "NetworkTopology.networktopology.diktyo.x-k8s.io",
  networktopologies: "NetworkTopology.networktopology.diktyo.x-k8s.io",
};
const CLUSTER_SCOPED = ["Node", "Platform.keelson.dev"];

/** What the page has seen lately: nodes, and what was decided about. */
const seen = (): ObjectRef[] => [
  ...nodes.names().map((name) => ({ kind: "Node", name })),
  ...recent().flatMap((decision) => [decision.subject, ...(decision.related ?? [])]),
];

/**
 * Reads what a person types into the search: `pod shop/cart-0`, `pod/cart-0`, `node-a1`, or a decision's id.
 * A name without a namespace leads to the one object of that name among those `known`, or to the decisions about any.
 */
export function searchPath(text: string, known: readonly ObjectRef[] = seen()): string | undefined {
  const words = text
    .trim()
    .split(/[\s/]+/)
    .filter(Boolean);
  const [first = ""] = words;
  if (words.length === 1 && /^[0-9a-f]{8}-[0-9a-f-]{27}$/i.test(first)) return path("decision", first);
  const kind = words.length > 1 ? KINDS[first.toLowerCase()] : undefined;
  const rest = kind ? words.slice(1) : words;
  const name = rest.at(-1);
  if (!name) return undefined;
  if (kind && CLUSTER_SCOPED.includes(kind)) return path("subject", kind, "-", name);
  if (rest.length > 1) return path("subject", kind ?? "Pod", rest[0] ?? "", name);
  const found = new Set(
    known.filter((object) => object.name === name && (!kind || kindOf(object) === kind)).map(subjectPath),
  );
  const [only] = found;
  if (only && found.size === 1) return only;
  const query = new URLSearchParams({ ...(kind ? { kind: kind.split(".")[0] ?? kind } : {}), name });
  return `/decisions?${query}`;
}
