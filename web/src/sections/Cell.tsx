// One node on the map: a well sized by its capacity, filled as high as its most constrained resource is taken.
//
// It is one element without parts, its level a gradient: two thousand of them are cheap to draw, and one that changes
// repaints itself alone.
import { Show } from "solid-js";
import type { NodeView } from "../api/types";
import { path } from "../live/router";
import { ofWhole, percent, plural } from "../ui/format";
import type { Spot } from "./layout";

/** Above this share of a resource, in thousandths, a node is drawn as nearly full. */
export const HOT = 900;

const KNOWN = ["cpu", "memory", "pods"];
const colour = (resource: string): string =>
  KNOWN.includes(resource) ? resource : resource.includes("gpu") ? "gpu" : "other";

export function Cell(props: { node: NodeView | undefined; spot: Spot | undefined; entry: boolean }) {
  return (
    <Show when={props.node}>
      {(node) => (
        // biome-ignore lint/a11y/useAnchorContent: the label says what it is; a text in each would double the map.
        <a
          class={`cell ${colour(node().tightest.name)}`}
          classList={{ off: !node().ready, cordoned: node().cordoned, hot: node().tightest.permille >= HOT }}
          href={path("subject", "Node", "-", node().name)}
          tabindex={props.entry ? 0 : -1}
          aria-label={`${node().name}: ${details(node())}`}
          data-name={node().name}
          style={{
            left: `${props.spot?.x ?? 0}px`,
            top: `${props.spot?.y ?? 0}px`,
            width: `${props.spot?.size ?? 0}px`,
            height: `${props.spot?.size ?? 0}px`,
            "--level": `${Math.min(1_000, node().tightest.permille) / 1_000}`,
          }}
        />
      )}
    </Show>
  );
}

/** What is out of the ordinary with a node; empty when nothing is. */
export const state = (node: NodeView): string =>
  [!node.ready && "not ready", node.cordoned && "cordoned", node.spot && "Spot"].filter(Boolean).join(", ");

/** What is known of a node, in the order in which one would ask. */
export function details(node: NodeView): string {
  const used = node.resources
    .filter((resource) => resource.name === "cpu" || resource.name === "memory" || resource.name === node.tightest.name)
    .map((r) => `${r.name} ${ofWhole(r.name, r.requested, r.capacity)}`);
  const parts = [node.instance_type, state(node), plural(node.pods, "pod"), ...used].filter(Boolean);
  return `${parts.join(" · ")} (${node.tightest.name} ${percent(node.tightest.permille)})`;
}
