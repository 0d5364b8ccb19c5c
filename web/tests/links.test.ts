// What a subject's rows name can be followed.
import { beforeAll, expect, it, vi } from "vitest";

let pieces: typeof import("../src/sections/links").pieces;

beforeAll(async () => {
  vi.stubGlobal("location", { pathname: "/", search: "" });
  vi.stubGlobal("addEventListener", () => {});
  ({ pieces } = await import("../src/sections/links"));
});

const node = { kind: "Node", name: "node-a1" };
const pod = { kind: "Pod", namespace: "shop", name: "cart-0" };
const deployment = { kind: "Deployment", group: "apps", namespace: "shop", name: "cart" };

it("leads from a node to its pods", () => {
  expect(pieces(node, "pods", "shop/cart-0, kube-system/dns, and 3 more")).toEqual([
    [{ text: "shop/cart-0", to: "/subject/Pod/shop/cart-0/" }],
    [{ text: "kube-system/dns", to: "/subject/Pod/kube-system/dns/" }],
    [{ text: "and 3 more" }],
  ]);
  expect(pieces(node, "pods", "12")).toEqual([[{ text: "12" }]]);
});

it("leads from a pod to its node and its owners", () => {
  expect(pieces(pod, "node", "node-a1")).toEqual([[{ text: "node-a1", to: "/subject/Node/-/node-a1/" }]]);
  expect(pieces(pod, "owner", "ReplicaSet cart-5d, of Deployment cart")).toEqual([
    [{ text: "ReplicaSet cart-5d", to: "/subject/ReplicaSet.apps/shop/cart-5d/" }],
    [{ text: "of " }, { text: "Deployment cart", to: "/subject/Deployment.apps/shop/cart/" }],
  ]);
  expect(pieces(pod, "owner", "Whatever x")).toEqual([[{ text: "Whatever x" }]]);
});

it("leads from a workload to its pods and where they are", () => {
  expect(pieces(deployment, "pods and nodes", "cart-0 node-a1, cart-1 (none), and 3 more")).toEqual([
    [
      { text: "cart-0", to: "/subject/Pod/shop/cart-0/" },
      { text: " on " },
      { text: "node-a1", to: "/subject/Node/-/node-a1/" },
    ],
    [{ text: "cart-1", to: "/subject/Pod/shop/cart-1/" }, { text: " without a node" }],
    [{ text: "and 3 more" }],
  ]);
});
