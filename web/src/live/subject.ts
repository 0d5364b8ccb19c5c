// An object's name for people, and its page.
import type { ObjectRef } from "../api/types";
import { path } from "./router";

export const named = (object: ObjectRef): string =>
  object.namespace ? `${object.namespace}/${object.name}` : object.name;

export const kindOf = (object: ObjectRef): string => (object.group ? `${object.kind}.${object.group}` : object.kind);

export const subjectPath = (object: ObjectRef): string =>
  path("subject", kindOf(object), object.namespace || "-", object.name);

/** Reads what a person types into the search: `pod shop/cart-0`, `pod/cart-0`, `node-a1`, or a decision's id. */
export function searchPath(text: string, namespace = "default"): string | undefined {
  const words = text
    .trim()
    .split(/[\s/]+/)
    .filter(Boolean);
  if (words.length === 0) return undefined;
  if (words.length === 1 && /^[0-9a-f]{8}-[0-9a-f-]{27}$/i.test(words[0] ?? ""))
    return path("decision", words[0] ?? "");
  const known: Record<string, string> = {
    pod: "Pod",
    pods: "Pod",
    po: "Pod",
    node: "Node",
    nodes: "Node",
    no: "Node",
    deployment: "Deployment.apps",
    deploy: "Deployment.apps",
    statefulset: "StatefulSet.apps",
    sts: "StatefulSet.apps",
    platform: "Platform.keelson.dev",
  };
  const kind = known[(words[0] ?? "").toLowerCase()];
  const rest = kind ? words.slice(1) : words;
  const last = rest.at(-1);
  if (!last) return undefined;
  if (kind === "Node" || kind === "Platform.keelson.dev") return path("subject", kind, "-", last);
  if (!kind && rest.length === 1) return `/decisions?name=${encodeURIComponent(last)}`;
  return path("subject", kind ?? "Pod", rest.length > 1 ? (rest[0] ?? namespace) : namespace, last);
}
