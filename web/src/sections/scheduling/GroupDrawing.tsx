// An AppGroup over zones and nodes: boxes with its pods, and curves between what depends on each other.
//
// Boxes are links in the order of the page; curves are for the eye, and the table beside says the same in words.
import { createMemo, createSelector, createSignal, For, onCleanup, onMount, Show } from "solid-js";
import { path } from "../../live/router";
import { nodes } from "../../live/state";
import { plural } from "../../ui/format";
import type { Group } from "./answers";
import { type Box, drawing } from "./drawing";

/** More dots than this are a number. */
const DOTS = 6;
const COLOURS = 6;

export function GroupDrawing(props: { group: Group; near: number | undefined }) {
  let frame: HTMLDivElement | undefined;
  const [width, setWidth] = createSignal(720);
  onMount(() => {
    const watch = new ResizeObserver(
      ([entry]) => entry && setWidth(Math.max(240, Math.floor(entry.contentRect.width))),
    );
    if (frame) watch.observe(frame);
    onCleanup(() => watch.disconnect());
  });
  const zones = createMemo(() => new Map(nodes.shapes().map((node) => [node.name, node.zone])));
  const zoneOf = (node: string) => (nodes.known() ? zones().get(node) || "no zone" : "zones are not known");
  const picture = createMemo(() => drawing(props.group, zoneOf, width()));
  const isNear = createSelector(() => props.near);
  /** The ends of the edge that is looked at. */
  const touched = (workload: number) => {
    const edge = props.near === undefined ? undefined : props.group.edges[props.near];
    return edge !== undefined && (edge.from === workload || edge.to === workload);
  };
  return (
    <div class="drawn">
      <div
        ref={frame}
        class="drawing"
        classList={{ looked: props.near !== undefined }}
        role="group"
        aria-label={`${props.group.name} over zones and nodes. The table has the edges.`}
        style={{ height: `${picture().height}px` }}
      >
        <svg width={picture().width} height={picture().height} aria-hidden="true">
          <For each={picture().curves}>
            {(curve) => (
              <path
                class={`cost${curve.level}`}
                classList={{ far: curve.tooFar, near: isNear(curve.edge) }}
                d={curve.path}
              />
            )}
          </For>
        </svg>
        <For each={picture().zones}>
          {(zone) => (
            <p class="zone" style={{ left: `${zone.x}px`, top: `${zone.y}px`, width: `${zone.width}px` }}>
              {zone.name} · {plural(zone.pods, "pod")}
            </p>
          )}
        </For>
        <For each={picture().boxes}>{(box) => <NodeBox box={box} group={props.group} touched={touched} />}</For>
      </div>
      <p class="legend">
        <span>
          <i class="line cost1" />
          cheap
        </span>
        <span>
          <i class="line cost3" />
          dear
        </span>
        <span>
          <i class="line far" />
          too far
        </span>
        <span class="legend-note">
          a dot: a pod · on one node nothing costs
          <Show when={picture().left > 0}> · {plural(picture().left, "cheaper line")} not drawn</Show>
        </span>
      </p>
    </div>
  );
}

function NodeBox(props: { box: Box; group: Group; touched(workload: number): boolean }) {
  return (
    <div
      class="node-box"
      style={{
        left: `${props.box.x}px`,
        top: `${props.box.y}px`,
        width: `${props.box.width}px`,
        height: `${props.box.height}px`,
      }}
    >
      <Show when={props.box.more === 0} fallback={<p class="node-name quiet">{plural(props.box.more, "more node")}</p>}>
        <a class="node-name" href={path("subject", "Node", "-", props.box.node)}>
          <code>{props.box.node}</code>
        </a>
      </Show>
      <ul>
        <For each={props.box.rows}>
          {(row) => (
            <li class={`part${row.workload % COLOURS}`} classList={{ touched: props.touched(row.workload) }}>
              <span class="dots" aria-hidden="true">
                <For each={row.pods.slice(0, DOTS)}>{() => <i />}</For>
              </span>
              <a href={podPath(row.pods[0] ?? "")} title={row.pods.join(", ")}>
                {props.group.workloads[row.workload]?.selector}
              </a>
              <Show when={row.pods.length > 1}>
                <small>×{row.pods.length}</small>
              </Show>
            </li>
          )}
        </For>
      </ul>
    </div>
  );
}

const podPath = (pod: string): string => path("subject", "Pod", ...pod.split("/"));
