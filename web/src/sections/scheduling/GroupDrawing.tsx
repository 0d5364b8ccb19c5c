// An AppGroup over zones and nodes: boxes with its pods, and curves between what depends on each other.
//
// Boxes are links in the order of the page; curves are for the eye, and the table beside says the same in words.
import { createMemo, createSelector, createSignal, For, onCleanup, onMount, Show } from "solid-js";
import { path } from "../../live/router";
import { nodes } from "../../live/state";
import { plural } from "../../ui/format";
import type { Group } from "./answers";
import { type Box, type Curve, drawing } from "./drawing";

/** More dots than this are a number. */
const DOTS = 6;
const COLOURS = 6;
/** More costs than this, written on their curves, could not be read. */
const WRITTEN = 6;

/** What is otherwise in the drawing that stands beside. */
export type Beside = {
  other: Group;
  /** The pods that move. */
  moves: Set<string>;
  /** Whether they leave the nodes where they are drawn, or come to them. */
  word: "leaves" | "comes";
};

export function GroupDrawing(props: { group: Group; near: number | undefined; beside?: Beside; label?: string }) {
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
  const picture = createMemo(() => drawing(props.group, zoneOf, width(), props.beside?.other));
  const isNear = createSelector(() => props.near);
  /** The ends of the edge that is looked at. */
  const touched = (workload: number) => {
    const edge = props.near === undefined ? undefined : props.group.edges[props.near];
    return edge !== undefined && (edge.from === workload || edge.to === workload);
  };
  const changed = createMemo(() => changes(props.group, props.beside?.other));
  const isChanged = (curve: Curve) => changed().has(curve.edge ?? way(curve.from, curve.to));
  return (
    <div class="drawn">
      <div
        ref={frame}
        class="drawing"
        classList={{ looked: props.near !== undefined && !picture().folded, paired: props.beside !== undefined }}
        role="group"
        aria-label={`${props.label ?? `${props.group.name} over zones and nodes`}. The table has the edges.`}
        style={{ height: `${picture().height}px` }}
      >
        <svg width={picture().width} height={picture().height} aria-hidden="true">
          <For each={picture().curves}>
            {(curve) => (
              <path
                class={`cost${curve.level}`}
                classList={{
                  far: curve.tooFar,
                  near: curve.edge !== undefined && isNear(curve.edge),
                  changed: isChanged(curve),
                }}
                d={curve.path}
              />
            )}
          </For>
          <For each={written(picture().curves, isChanged, props.beside !== undefined || picture().folded)}>
            {(curve) => (
              <text x={curve.at.x} y={curve.at.y} classList={{ far: curve.tooFar }}>
                {curve.cost.toLocaleString("en-GB")}
              </text>
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
        <For each={picture().boxes}>
          {(box) => (
            <NodeBox
              box={box}
              group={props.group}
              folded={picture().folded}
              touched={touched}
              {...(props.beside ? { beside: props.beside } : {})}
            />
          )}
        </For>
      </div>
      <Show when={props.beside?.word !== "comes"}>
        <Legend beside={props.beside !== undefined} folded={picture().folded} left={picture().left} />
      </Show>
    </div>
  );
}

const way = (one: string, other: string): string => [one, other].sort().join(" ");

/** The edges, or the ways between nodes, that cost something else in the other drawing. */
function changes(group: Group, other: Group | undefined): Set<number | string> {
  if (!other) return new Set();
  const before = new Map(other.ways.map(({ from, to, cost }) => [way(from, to), cost]));
  const ways = group.ways.filter(({ from, to, cost }) => before.get(way(from, to)) !== cost);
  const edges = group.edges.flatMap((edge, index) => (other.edges[index]?.cost === edge.cost ? [] : [index]));
  return new Set([...edges, ...ways.map(({ from, to }) => way(from, to))]);
}

/** The curves that have their cost written on them: one of an edge, those that change first. */
function written(curves: readonly Curve[], isChanged: (curve: Curve) => boolean, wanted: boolean): Curve[] {
  if (!wanted) return [];
  const of = new Map<number | string, Curve>();
  for (const curve of [...curves].reverse()) {
    const key = curve.edge ?? way(curve.from, curve.to);
    if (!of.has(key) && curve.cost > 0) of.set(key, curve);
  }
  const all = [...of.values()].sort((a, b) => Number(isChanged(b)) - Number(isChanged(a)) || b.cost - a.cost);
  // One that would lie on another is left out: the table has it.
  const clear: Curve[] = [];
  for (const one of all) {
    const free = clear.every(({ at }) => Math.abs(at.x - one.at.x) > 36 || Math.abs(at.y - one.at.y) > 14);
    if (free && clear.length < WRITTEN) clear.push(one);
  }
  return clear;
}

function Legend(props: { beside: boolean; folded: boolean; left: number }) {
  return (
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
        {props.folded ? "a line: all edges between two nodes" : "a dot: a pod"} · on one node nothing costs
        {props.beside ? " · in bold what changes" : ""}
        <Show when={props.left > 0}> · {plural(props.left, "cheaper line")} not drawn</Show>
      </span>
    </p>
  );
}

type InBox = { box: Box; group: Group; folded: boolean; beside?: Beside; touched(workload: number): boolean };

function NodeBox(props: InBox) {
  const moves = (pods: readonly string[]) => pods.filter((pod) => props.beside?.moves.has(pod)).length;
  /** Beside another drawing there is little room: one dot, of a pod that moves if any does. */
  const dots = (pods: readonly string[]) =>
    props.beside ? [pods.find((pod) => props.beside?.moves.has(pod)) ?? pods[0] ?? ""] : pods.slice(0, DOTS);
  const here = () => (props.folded ? podsOn(props.group, props.box.node) : props.box.rows.flatMap(({ pods }) => pods));
  return (
    <div
      class="node-box"
      classList={{ moved: props.box.more === 0 && moves(here()) > 0, bare: props.box.pods === 0 }}
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
      <Show when={props.box.pods > 0} fallback={<p class="none">no pod of it</p>}>
        <Show
          when={!props.folded}
          fallback={
            <p class="folded">
              {plural(props.box.pods, "pod")} <small>of {plural(props.box.workloads, "workload")}</small>
              <Moves count={moves(here())} {...(props.beside ? { beside: props.beside } : {})} />
            </p>
          }
        >
          <ul>
            <For each={props.box.rows}>
              {(row) => (
                <li
                  class={`part${row.workload % COLOURS}`}
                  classList={{ touched: props.touched(row.workload), moved: moves(row.pods) > 0 }}
                >
                  <span class="dots" aria-hidden="true">
                    <For each={dots(row.pods)}>
                      {(pod) => <i classList={{ [props.beside?.word ?? ""]: props.beside?.moves.has(pod) ?? false }} />}
                    </For>
                  </span>
                  <a href={podPath(row.pods[0] ?? "")} title={row.pods.join(", ")}>
                    {props.group.workloads[row.workload]?.selector}
                  </a>
                  <Show when={row.pods.length > 1 && moves(row.pods) < row.pods.length}>
                    <small>×{row.pods.length}</small>
                  </Show>
                  <Moves count={moves(row.pods)} {...(props.beside ? { beside: props.beside } : {})} />
                </li>
              )}
            </For>
          </ul>
        </Show>
      </Show>
    </div>
  );
}

/** How many of these pods leave, or come. */
function Moves(props: { count: number; beside?: Beside }) {
  return (
    <Show when={props.count > 0 && props.beside}>
      {(beside) => (
        <small class="moves">
          {props.count > 1 ? `${props.count} ` : ""}
          {props.count > 1 ? beside().word.slice(0, -1) : beside().word}
        </small>
      )}
    </Show>
  );
}

const podsOn = (group: Group, on: string): string[] =>
  group.workloads.flatMap(({ pods }) => pods.flatMap(({ pod, node }) => (node === on ? [pod] : [])));

const podPath = (pod: string): string => path("subject", "Pod", ...pod.split("/"));
