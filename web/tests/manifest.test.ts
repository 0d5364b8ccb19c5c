// The form says what the manifest has, changes only what was changed, and names what it cannot read.
import { expect, it } from "vitest";
import type { Manifest } from "../src/sections/scheduling/answers";
import { applied, blank, form, ofContainer, parsed } from "../src/sections/scheduling/manifest";

const POD: Manifest = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    namespace: "shop",
    labels: { app: "cart", "appgroup.diktyo.x-k8s.io": "shop", "appgroup.diktyo.x-k8s.io.workload": "cart" },
  },
  spec: {
    affinity: { podAntiAffinity: {} },
    containers: [
      { name: "server", resources: { requests: { cpu: "100m", memory: "64Mi", gpu: 1 }, limits: { cpu: 1 } } },
      { name: "proxy" },
    ],
    nodeSelector: { disk: "ssd" },
    priority: 10,
    priorityClassName: "high",
    tolerations: [
      { key: "spot", operator: "Equal", value: "true", effect: "NoSchedule" },
      { key: "gpu", operator: "Exists" },
      { operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
    ],
  },
};

it("reads a manifest, and a form that was not touched changes nothing", () => {
  expect(form(POD)).toEqual({
    cpu: "100m",
    memory: "64Mi",
    labels: "app=cart",
    nodeSelector: "disk=ssd",
    tolerations: "spot=true:NoSchedule, gpu, *:NoExecute",
    priority: "10",
    appGroup: "shop",
    workload: "cart",
  });
  expect(ofContainer(POD)).toBe("server");
  for (const pod of [POD, blank(), {}, { spec: { containers: 3 } } as Manifest]) {
    const same = applied(pod, form(pod));
    expect(same.problems).toEqual({});
    expect(same.pod).toEqual({ metadata: {}, spec: {}, ...pod });
  }
});

it("changes what was changed, and keeps the rest", () => {
  const { pod, problems } = applied(POD, { ...form(POD), cpu: "2", labels: "app=cart, tier=web", priority: "7" });
  expect(problems).toEqual({});
  expect(pod.spec).toMatchObject({
    affinity: { podAntiAffinity: {} },
    priority: 7,
    tolerations: POD.spec?.tolerations,
  });
  expect(pod.spec?.priorityClassName).toBeUndefined();
  const [server, proxy] = (pod.spec?.containers ?? []) as Record<string, unknown>[];
  expect(server?.resources).toEqual({ requests: { cpu: "2", memory: "64Mi", gpu: 1 }, limits: { cpu: 1 } });
  expect(proxy).toEqual({ name: "proxy" });
  expect(pod.metadata?.labels).toEqual({ ...(POD.metadata?.labels as object), tier: "web" });
});

it("takes out what was emptied", () => {
  const { pod } = applied(POD, { ...form(POD), memory: "", tolerations: "", appGroup: "", workload: " " });
  expect(form(pod)).toMatchObject({ cpu: "100m", memory: "", tolerations: "", appGroup: "", workload: "" });
});

it("reads tolerations as kubectl writes taints", () => {
  const { pod } = applied(blank(), { ...form(blank()), tolerations: "a=b:NoSchedule, c:NoExecute, d, e=, *" });
  expect(pod.spec?.tolerations).toEqual([
    { key: "a", operator: "Equal", value: "b", effect: "NoSchedule" },
    { key: "c", operator: "Exists", effect: "NoExecute" },
    { key: "d", operator: "Exists" },
    { key: "e", operator: "Equal", value: "" },
    { operator: "Exists" },
  ]);
});

it("names what it cannot read", () => {
  const wrong = {
    cpu: "lots",
    memory: "1 Gi",
    labels: "app",
    nodeSelector: "a=b=c",
    tolerations: "a:Never",
    priority: "1.5",
  };
  const { problems } = applied(POD, { ...form(POD), ...wrong });
  expect(Object.keys(problems).sort()).toEqual(Object.keys(wrong).sort());
  expect(problems.cpu).toBe("Write a quantity, such as 500m or 2.");
});

it("reads what was pasted, without where it is", () => {
  expect(parsed("{")).toHaveProperty("problem");
  for (const typed of ["[]", "3", "null", "{}", '{"spec": {}}', '{"spec": []}'])
    expect(parsed(typed)).toHaveProperty("problem");
  const printed = { kind: "Pod", spec: { nodeName: "n1", containers: [] }, status: { phase: "Running" } };
  expect(parsed(JSON.stringify(printed))).toEqual({ pod: { kind: "Pod", spec: { containers: [] } } });
  const asked = { spec: { nodeName: "n1" } };
  expect(parsed(JSON.stringify(asked))).toEqual({ pod: asked });
  expect(parsed(JSON.stringify({ kind: "List", items: [printed] }))).toHaveProperty("pod.spec.containers");
});
