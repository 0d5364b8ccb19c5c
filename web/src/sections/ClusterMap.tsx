// The cluster at a glance: one cell a node, sized by capacity, filled by the resource with the least to spare.
//
// Cells are kept by name and laid out anew only when a node comes, goes or changes its size, so that a node that fills
// moves nothing but its own level, and whoever walks the map by keyboard stays where they are.
import { createMemo, createSelector, createSignal, For, onCleanup, onMount, Show } from "solid-js";
import { nodes } from "../live/state";
import { plural } from "../ui/format";
import { Cell, details, HOT } from "./Cell";
import { beside, layout } from "./layout";
import { MapTable } from "./MapTable";

const COLOURS = ["cpu", "memory", "pods", "gpu"] as const;

const nameAt = (event: Event): string | undefined =>
  (event.target as Element).closest<HTMLElement>("[data-name]")?.dataset.name;

export function ClusterMap() {
  let frame: HTMLDivElement | undefined;
  const [width, setWidth] = createSignal(720);
  const [stop, setStop] = createSignal<string>();
  const [pointed, setPointed] = createSignal<string>();
  onMount(() => {
    const watch = new ResizeObserver(
      ([entry]) => entry && setWidth(Math.max(240, Math.floor(entry.contentRect.width))),
    );
    if (frame) watch.observe(frame);
    onCleanup(() => watch.disconnect());
  });
  const map = createMemo(() => layout(nodes.shapes(), width()));
  const spots = createMemo(() => new Map(map().spots.map((spot) => [spot.name, spot])));
  const blocks = createMemo(() => nodes.blocks());
  // The one cell that Tab comes to: the last that was visited, or the first.
  const entry = createMemo(() => {
    const last = stop();
    return last !== undefined && spots().has(last) ? last : map().spots[0]?.name;
  });
  const isEntry = createSelector(entry);
  const shown = () => nodes.get(pointed() ?? "");

  const onKey = (event: KeyboardEvent) => {
    const name = nameAt(event);
    if (name === undefined || !event.key.startsWith("Arrow")) return;
    event.preventDefault();
    const all = map().spots;
    const at = all.findIndex((spot) => spot.name === name);
    const next = all[beside(all, at, event.key)]?.name ?? name;
    frame?.querySelector<HTMLElement>(`[data-name="${CSS.escape(next)}"]`)?.focus();
  };
  const onFocus = (event: FocusEvent) => {
    const name = nameAt(event);
    if (name === undefined) return;
    setStop(name);
    setPointed(name);
  };

  return (
    <div class="map">
      <div
        ref={frame}
        class="cells"
        classList={{ rush: nodes.rush(), dense: map().dense }}
        role="group"
        aria-label={summary()}
        style={{ height: `${map().height}px` }}
        onKeyDown={onKey}
        onFocusIn={onFocus}
        onPointerOver={(event) => setPointed(nameAt(event) ?? pointed())}
        onPointerLeave={() => setPointed(undefined)}
      >
        <For each={map().zones}>
          {(zone) => (
            <span class="zone" style={{ left: `${zone.x}px`, top: `${zone.y}px` }}>
              {zone.name} · {zone.nodes}
            </span>
          )}
        </For>
        <For each={[...blocks().keys()]}>
          {(block) => (
            <div class="block">
              <For each={blocks().get(block)}>
                {(name) => <Cell node={nodes.get(name)} spot={spots().get(name)} entry={isEntry(name)} />}
              </For>
            </div>
          )}
        </For>
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
              <code>{node().name}</code> {details(node())}
            </>
          )}
        </Show>
      </p>
      <MapTable />
    </div>
  );
}

function summary(): string {
  const all = nodes.all();
  const away = all.filter((node) => !node.ready).length;
  const hot = all.filter((node) => node.tightest.permille >= HOT).length;
  return `${plural(all.length, "node")} by zone, ${hot} nearly full, ${away} not ready. Arrow keys move, Enter opens.`;
}
