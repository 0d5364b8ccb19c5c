// A pod's manifest as a small form, and back: what the form does not know stays as it is.
//
// Promises: reading a form that was not touched changes nothing; each field that cannot be read is named with how to
// write it.
import type { Manifest } from "./answers";

export const FIELDS = [
  "cpu",
  "memory",
  "labels",
  "nodeSelector",
  "tolerations",
  "priority",
  "appGroup",
  "workload",
] as const;
export type Field = (typeof FIELDS)[number];
export type Form = Record<Field, string>;
export type Problems = Partial<Record<Field, string>>;

/** The labels by which a pod says which part of which AppGroup it is. */
const GROUP = "appgroup.diktyo.x-k8s.io";
const WORKLOAD = "appgroup.diktyo.x-k8s.io.workload";

type Json = Record<string, unknown>;
type Toleration = { key?: string; operator?: string; value?: string; effect?: string };

const object = (value: unknown): Json =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string => (typeof value === "string" || typeof value === "number" ? String(value) : "");

/** What is asked about before anything was filled in. */
export const blank = (): Manifest => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { namespace: "default" },
  spec: { containers: [{ name: "main", resources: { requests: { cpu: "500m", memory: "512Mi" } } }] },
});

const first = (pod: Manifest): Json => object(list(pod.spec?.containers)[0]);

/** Which container the requests of the form are of, where there are several. */
export const ofContainer = (pod: Manifest): string =>
  list(pod.spec?.containers).length > 1 ? text(first(pod).name) : "";

export function form(pod: Manifest): Form {
  const requests = object(object(first(pod).resources).requests);
  const { [GROUP]: appGroup, [WORKLOAD]: workload, ...labels } = object(pod.metadata?.labels);
  return {
    cpu: text(requests.cpu),
    memory: text(requests.memory),
    labels: pairs(labels),
    nodeSelector: pairs(object(pod.spec?.nodeSelector)),
    tolerations: list(pod.spec?.tolerations)
      .map((one) => toleration(object(one) as Toleration))
      .join(", "),
    priority: text(pod.spec?.priority),
    appGroup: text(appGroup),
    workload: text(workload),
  };
}

const pairs = (of: Json): string =>
  Object.entries(of)
    .map(([key, value]) => `${key}=${text(value)}`)
    .join(", ");

/** `key=value:Effect`, as `kubectl taint` writes them; `key` alone tolerates any value, `*` everything. */
const toleration = ({ key, operator, value, effect }: Toleration): string => {
  const name = key || "*";
  return `${operator === "Exists" || !key ? name : `${name}=${value ?? ""}`}${effect ? `:${effect}` : ""}`;
};

/** The manifest with what was changed in the form, or what cannot be read in it. */
export function applied(pod: Manifest, now: Form): { pod: Manifest; problems: Problems } {
  const before = form(pod);
  const changed = (...fields: Field[]) => fields.some((field) => now[field].trim() !== before[field]);
  const problems: Problems = {};
  const next = structuredClone(pod);
  const metadata = object(next.metadata);
  const spec = object(next.spec);
  if (changed("cpu", "memory")) {
    const containers = list(spec.containers);
    const container = object(containers[0] ?? { name: "main" });
    const resources = object(container.resources);
    const requests = object(resources.requests);
    for (const name of ["cpu", "memory"] as const) {
      const amount = now[name].trim();
      if (amount && !QUANTITY.test(amount)) problems[name] = `Write a quantity, such as ${EXAMPLE[name]}.`;
      set(requests, name, amount);
    }
    spec.containers = [{ ...container, resources: { ...resources, requests } }, ...containers.slice(1)];
  }
  if (changed("labels", "appGroup", "workload")) {
    const labels = read(now.labels);
    if (!labels) problems.labels = "Write key=value, with commas between.";
    metadata.labels = { ...labels };
    set(object(metadata.labels), GROUP, now.appGroup.trim());
    set(object(metadata.labels), WORKLOAD, now.workload.trim());
  }
  if (changed("nodeSelector")) {
    const selector = read(now.nodeSelector);
    if (!selector) problems.nodeSelector = "Write key=value, with commas between.";
    spec.nodeSelector = selector;
  }
  if (changed("tolerations")) {
    const all = words(now.tolerations).map(readToleration);
    if (all.some((one) => !one)) problems.tolerations = "Write key=value:Effect, key:Effect or *.";
    spec.tolerations = all;
  }
  if (changed("priority")) {
    const priority = now.priority.trim();
    if (priority && !/^-?\d{1,10}$/.test(priority)) problems.priority = "Write a whole number.";
    // The number counts, not the name of a class that says another.
    if (priority !== before.priority) delete spec.priorityClassName;
    set(spec, "priority", priority ? Number(priority) : "");
  }
  return { pod: { ...next, metadata, spec }, problems };
}

const QUANTITY = /^\d+(\.\d+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|e\d+)?$/;
const EXAMPLE = { cpu: "500m or 2", memory: "512Mi or 4Gi" };
const EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

function set(of: Json, name: string, value: unknown): void {
  if (value === "") delete of[name];
  else of[name] = value;
}

const words = (line: string): string[] =>
  line
    .split(",")
    .map((word) => word.trim())
    .filter(Boolean);

function read(line: string): Record<string, string> | undefined {
  const all: Record<string, string> = {};
  for (const word of words(line)) {
    const [, key, value] = /^([\w./-]+)=([\w.-]*)$/.exec(word) ?? [];
    if (key === undefined || value === undefined) return undefined;
    all[key] = value;
  }
  return all;
}

function readToleration(word: string): Toleration | undefined {
  const [, key = "", equals, value = "", effect] = /^(\*|[\w./-]+)(?:(=)([\w.-]*))?(?::(\w+))?$/.exec(word) ?? [];
  if (!key || (effect && !EFFECTS.includes(effect)) || (key === "*" && equals)) return undefined;
  const about =
    key === "*" ? { operator: "Exists" } : equals ? { key, operator: "Equal", value } : { key, operator: "Exists" };
  return effect ? { ...about, effect } : about;
}

/** A manifest that was typed or pasted, or why it is none. A list of one, as kubectl may print it, is that one. */
export function parsed(typed: string): { pod: Manifest } | { problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(typed);
  } catch (error) {
    const where = error instanceof Error ? error.message : String(error);
    return { problem: `This is not JSON: ${where}. kubectl get pod NAME -o json prints it.` };
  }
  const items = list(object(value).items);
  const pod = items.length === 1 ? items[0] : value;
  if (Object.keys(object(object(pod).spec)).length === 0)
    return { problem: "This has no spec. Paste one pod, or one workload with a pod template." };
  return { pod: anywhere(pod as Manifest) };
}

/** Without where it is, when it is a pod that the cluster printed: the question is where it would go. */
function anywhere(pod: Manifest): Manifest {
  if (!pod.status || !pod.spec?.nodeName) return pod;
  const { status: _, ...rest } = pod;
  const { nodeName: __, ...spec } = pod.spec;
  return { ...rest, spec };
}
