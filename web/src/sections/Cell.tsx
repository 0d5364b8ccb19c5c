// One node on the map: a well sized by its capacity, filled as high as its most constrained resource is taken.
import { Show } from "solid-js";
import type { NodeView } from "../api/types";
import { amount, percent, plural } from "../ui/format";
import type { Spot } from "./layout";

/** Above this share of a resource, in thousandths, a node is drawn as nearly full. */
export const HOT = 900;

const KNOWN = ["cpu", "memory", "pods"];
const colour = (resource: string): string =>
  KNOWN.includes(resource) ? resource : resource.includes("gpu") ? "gpu" : "other";

type Props = { name: string; node: NodeView | undefined; spot: Spot | undefined; stop: boolean };

export function Cell(props: Props) {
  const size = () => props.spot?.size ?? 0;
  const round = () => Math.min(5, size() / 6);
  return (
    <Show when={props.node}>
      {(node) => {
        const filled = () => Math.min(1_000, node().tightest.permille) / 1_000;
        return (
          <g
            role="link"
            tabindex={props.stop ? 0 : -1}
            aria-label={describe(node())}
            data-name={props.name}
            transform={`translate(${props.spot?.x ?? 0} ${props.spot?.y ?? 0})`}
            class="cell"
            classList={{
              off: !node().ready,
              cordoned: node().cordoned,
              hot: node().tightest.permille >= HOT,
            }}
          >
            <rect class="well" width={size()} height={size()} rx={round()} />
            <rect
              class={`fill ${colour(node().tightest.name)}`}
              y={size() * (1 - filled())}
              width={size()}
              height={size() * filled()}
              rx={round()}
              opacity={0.4 + filled() * 0.55}
            />
            <rect class="ring" x={-2} y={-2} width={size() + 4} height={size() + 4} rx={round() + 2} />
          </g>
        );
      }}
    </Show>
  );
}

export function describe(node: NodeView): string {
  return `${node.name}: ${details(node)}`;
}

/** What is known of a node, in the order in which one would ask. */
export function details(node: NodeView): string {
  const state = [!node.ready && "not ready", node.cordoned && "cordoned", node.spot && "Spot"]
    .filter(Boolean)
    .join(", ");
  const used = node.resources
    .filter((resource) => resource.name === "cpu" || resource.name === "memory" || resource.name === node.tightest.name)
    .map((r) => `${r.name} ${amount(r.name, r.requested)} of ${amount(r.name, r.capacity)}`);
  const parts = [node.instance_type, state, plural(node.pods, "pod"), ...used].filter(Boolean);
  return `${parts.join(" · ")} (${node.tightest.name} ${percent(node.tightest.permille)})`;
}
