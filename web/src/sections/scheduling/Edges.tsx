// The edges of an AppGroup, the dearest first: what each costs, and what it would cost.
import { createMemo, createSignal, For, Show } from "solid-js";
import { plural } from "../../ui/format";
import { More } from "../../ui/More";
import type { Edge, Group } from "./answers";

const ROWS = 16;

export type Marking = {
  near: number | undefined;
  kept: number | undefined;
  mark(edge: number | undefined): void;
  keep(edge: number): void;
};

export function Edges(props: { group: Group; then?: Group } & Marking) {
  const [all, setAll] = createSignal(false);
  const then = (index: number) => props.then?.edges[index];
  const order = createMemo(() =>
    props.group.edges
      .map((edge, index) => ({ edge, index }))
      .sort((a, b) => b.edge.cost - a.edge.cost || b.edge.tooFar - a.edge.tooFar || a.index - b.index)
      .map(({ index }) => index),
  );
  const shown = () => (all() ? order() : order().slice(0, ROWS));
  const most = createMemo(() =>
    Math.max(1, ...[...props.group.edges, ...(props.then?.edges ?? [])].map((edge) => edge.cost)),
  );
  return (
    <div>
      <div class="table">
        <table class="edges" classList={{ both: props.then !== undefined }}>
          <caption class="hidden">
            Edges of {props.group.namespace}/{props.group.name}, the dearest first
          </caption>
          <thead>
            <tr>
              <th scope="col">Edge</th>
              <th scope="col" class="num">
                {props.then ? "Now" : "Cost"}
              </th>
              <Show when={props.then}>
                <th scope="col" class="num">
                  Proposed
                </th>
              </Show>
              <th scope="col" class="num">
                Pairs
              </th>
              <th scope="col">Limit</th>
            </tr>
          </thead>
          <tbody>
            <For each={shown()}>
              {(index) => (
                <Show when={props.group.edges[index]}>
                  {(edge) => (
                    <tr
                      classList={{ near: props.near === index, far: edge().tooFar > 0 }}
                      onPointerEnter={() => props.mark(index)}
                      onPointerLeave={() => props.mark(undefined)}
                    >
                      <th scope="row">
                        <button
                          type="button"
                          class="edge"
                          aria-pressed={props.kept === index}
                          onClick={() => props.keep(index)}
                          onFocus={() => props.mark(index)}
                          onBlur={() => props.mark(undefined)}
                        >
                          <span>{props.group.workloads[edge().from]?.selector}</span>
                          <span class="to">
                            <span aria-hidden="true">{" → "}</span>
                            <span class="hidden">depends on </span>
                            {props.group.workloads[edge().to]?.selector}
                          </span>
                        </button>
                      </th>
                      <td class="num" data-label={props.then ? "now" : "cost"}>
                        <Cost cost={edge().cost} most={most()} far={edge().tooFar > 0} />
                      </td>
                      <Show when={props.then}>
                        <td class="num" classList={{ plain: then(index)?.cost === edge().cost }} data-label="proposed">
                          <Cost cost={then(index)?.cost ?? 0} most={most()} far={(then(index)?.tooFar ?? 0) > 0} />
                        </td>
                      </Show>
                      <td class="num plain" data-label="pairs">
                        {edge().pairs}
                      </td>
                      <td class="limit" data-label="limit">
                        {limit(edge(), then(index))}
                      </td>
                    </tr>
                  )}
                </Show>
              )}
            </For>
          </tbody>
        </table>
      </div>
      <More left={order().length - shown().length} of="edge" show={() => setAll(true)} />
    </div>
  );
}

function Cost(props: { cost: number; most: number; far: boolean }) {
  return (
    <>
      {props.cost}
      <span class="bar" classList={{ far: props.far }} aria-hidden="true">
        <i style={{ "inline-size": `${(100 * props.cost) / props.most}%` }} />
      </span>
    </>
  );
}

/** How far its pods may be, how many are farther, and who says that they depend at all. */
function limit(edge: Edge, then: Edge | undefined): string {
  const most = edge.maxNetworkCost === undefined ? "none" : `${edge.maxNetworkCost}`;
  const after = then && then.tooFar !== edge.tooFar ? `, ${then.tooFar || "none"} as proposed` : "";
  const far = edge.tooFar > 0 || after ? `, ${plural(edge.tooFar, "pair")} too far${after}` : "";
  const source = edge.source === "declared" ? "" : edge.source === "seen" ? ", seen" : ", declared and seen";
  const weight = edge.weight === 1 ? "" : `, weight ${edge.weight}`;
  return `${most}${far}${weight}${source}`;
}
