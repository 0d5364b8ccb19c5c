// The objects that a subject's rows name, as links: where a pod is, what owns it, which pods a node holds.
//
// Promises: no name is lost; what is not understood stays text.
import type { ObjectRef } from "../api/types";
import { path } from "../live/router";
import { subjectPath } from "../live/subject";

export type Piece = { text: string; to?: string };

const GROUPS: Record<string, string> = {
  Deployment: "apps",
  ReplicaSet: "apps",
  StatefulSet: "apps",
  DaemonSet: "apps",
  Job: "batch",
};

const node = (name: string): Piece => ({ text: name, to: path("subject", "Node", "-", name) });

/** A row's value, item by item; most have one. */
export function pieces(about: ObjectRef, word: string, value: string): Piece[][] {
  const items = value.split(", ");
  if (word === "node") return [[node(value)]];
  if (word === "pods" && about.kind === "Node") return items.map((item) => [podAnywhere(item)]);
  if (word === "pods and nodes") return items.map((item) => placed(about.namespace ?? "", item));
  if (word === "owner") return items.map((item) => owner(about.namespace ?? "", item));
  return [[{ text: value }]];
}

function podAnywhere(item: string): Piece {
  const [, namespace, name] = /^([^/\s]+)\/([^/\s]+)$/.exec(item) ?? [];
  return namespace && name ? { text: item, to: path("subject", "Pod", namespace, name) } : { text: item };
}

/** `cart-0 node-a1`, or `cart-0 (none)`. */
function placed(namespace: string, item: string): Piece[] {
  const [, pod, on] = /^([a-z0-9][^\s]*) (\S+)$/.exec(item) ?? [];
  if (!pod || !on || pod === "and") return [{ text: item }];
  const at = on === "(none)" ? [{ text: " without a node" }] : [{ text: " on " }, node(on)];
  return [{ text: pod, to: path("subject", "Pod", namespace, pod) }, ...at];
}

/** `ReplicaSet cart-5d`, or `of Deployment cart`. */
function owner(namespace: string, item: string): Piece[] {
  const [, before = "", kind = "", name = ""] = /^((?:of )?)(\w+) (\S+)$/.exec(item) ?? [];
  const group = GROUPS[kind];
  if (!group) return [{ text: item }];
  const to = subjectPath({ kind, group, name, ...(namespace ? { namespace } : {}) });
  return [{ text: before }, { text: `${kind} ${name}`, to }].filter((piece) => piece.text);
}
