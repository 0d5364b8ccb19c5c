// The cluster at a glance: one cell a node, sized by capacity, filled by the resource with the least to spare.
import { createMemo, createSignal, For, onCleanup, onMount, Show } from "solid-js";
import type { NodeView } from "../api/types";
import { go, path } from "../live/router";
import { amount, percent, plural } from "../ui/format";
import { beside, layout } from "./layout";

/** Above this share of a resource a node is drawn as full. */
const HOT = 900;
const COLOURS = ["cpu", "memory", "pods", "gpu"] as const;

const colour = (resource: string): string =>
  resource === "cpu" || resource === "memory" || resource === "pods"
    ? resource
    : resource.includes("gpu")
      ? "gpu"
      : "other";

export function ClusterMap(props: { nodes: NodeView[] }) {
  let frame: HTMLDivElement | undefined;
  const [width, setWidth] = createSignal(720);
  const [active, setActive] = createSignal(0);
  const [pointed, setPointed] = createSignal<string>();
  onMount(() => {
    const watch = new ResizeObserver(
      ([entry]) => entry && setWidth(Math.max(240, Math.floor(entry.contentRect.width))),
    );
    if (frame) watch.observe(frame);
    onCleanup(() => watch.disconnect());
  });
  const map = createMemo(() => layout(props.nodes, width()));
  const shown = createMemo(() => map().spots.find((spot) => spot.node.name === pointed())?.node);
  const open = (name: string) => go(path("subject", "Node", "-", name));

  const onKey = (event: KeyboardEvent) => {
    const spots = map().spots;
    const at = Math.min(active(), spots.length - 1);
    if (event.key.startsWith("Arrow")) {
      event.preventDefault();
      const next = beside(spots, at, event.key);
      setActive(next);
      setPointed(spots[next]?.node.name);
      frame?.querySelectorAll<SVGElement>("[role=link]")[next]?.focus();
    } else if (event.key === "Enter") {
      const name = spots[at]?.node.name;
      if (name) open(name);
    }
  };

  return (
    <div class="map">
      <div ref={frame} onKeyDown={onKey} onMouseLeave={() => setPointed(undefined)}>
        <svg width={map().width} height={map().height} role="group" aria-label={summary(props.nodes)}>
          <For each={map().zones}>
            {(zone) => (
              <text class="zone" x={zone.x} y={zone.y + 11}>
                {zone.name} · {zone.nodes}
              </text>
            )}
          </For>
          <For each={map().spots}>
            {(spot, at) => {
              const filled = () => Math.min(1_000, spot.node.tightest.permille) / 1_000;
              return (
                <g
                  role="link"
                  tabindex={at() === Math.min(active(), map().spots.length - 1) ? 0 : -1}
                  aria-label={describe(spot.node)}
                  class="cell"
                  classList={{
                    off: !spot.node.ready,
                    cordoned: spot.node.cordoned,
                    hot: spot.node.tightest.permille >= HOT,
                  }}
                  onClick={() => open(spot.node.name)}
                  onMouseEnter={() => setPointed(spot.node.name)}
                  onFocus={() => {
                    setActive(at());
                    setPointed(spot.node.name);
                  }}
                >
                  <rect class="well" x={spot.x} y={spot.y} width={spot.size} height={spot.size} rx="4" />
                  <rect
                    class={`fill ${colour(spot.node.tightest.name)}`}
                    x={spot.x}
                    y={spot.y + spot.size * (1 - filled())}
                    width={spot.size}
                    height={spot.size * filled()}
                    rx="4"
                    opacity={0.35 + filled() * 0.6}
                  />
                  <rect
                    class="ring"
                    x={spot.x - 2}
                    y={spot.y - 2}
                    width={spot.size + 4}
                    height={spot.size + 4}
                    rx="6"
                  />
                </g>
              );
            }}
          </For>
        </svg>
      </div>
      <div class="legend">
        <For each={COLOURS}>
          {(name) => (
            <span>
              <i class={name} />
              {name}
            </span>
          )}
        </For>
        <span class="legend-note">size: capacity · height: most constrained resource · ring: 90 % or more</span>
      </div>
      <p class="pointed" aria-hidden="true">
        <Show when={shown()} fallback="Point at a node, or walk with the arrow keys.">
          {(node) => (
            <>
              <code>{node().name}</code> {describe(node()).slice(node().name.length + 1)}
            </>
          )}
        </Show>
      </p>
    </div>
  );
}

function describe(node: NodeView): string {
  const state = [!node.ready && "not ready", node.cordoned && "cordoned", node.spot && "Spot"]
    .filter(Boolean)
    .join(", ");
  const used = node.resources
    .filter((resource) => resource.name === "cpu" || resource.name === "memory" || resource.name === node.tightest.name)
    .map((r) => `${r.name} ${amount(r.name, r.requested)} of ${amount(r.name, r.capacity)}`);
  const parts = [node.instance_type, state, plural(node.pods, "pod"), ...used].filter(Boolean);
  return `${node.name}: ${parts.join(" · ")} (${node.tightest.name} ${percent(node.tightest.permille)})`;
}

function summary(nodes: readonly NodeView[]): string {
  const away = nodes.filter((node) => !node.ready).length;
  const hot = nodes.filter((node) => node.tightest.permille >= HOT).length;
  return `${plural(nodes.length, "node")} by zone, ${hot} nearly full, ${away} not ready. Arrow keys move, Enter opens.`;
}
