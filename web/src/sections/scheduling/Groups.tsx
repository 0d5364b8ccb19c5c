// AppGroups as they are placed: each over zones and nodes, with what its edges cost.
import { useQuery } from "@tanstack/solid-query";
import { createMemo, createSignal, For, Match, Show, Switch } from "solid-js";
import { path } from "../../live/router";
import { nodes } from "../../live/state";
import { Rows } from "../../ui/Bones";
import { plural } from "../../ui/format";
import { Empty, Failure, Trouble } from "../../ui/Notice";
import { write } from "../filters";
import { type Edge, type Group, groups, placedTogether, refused } from "./answers";
import { GroupDrawing } from "./GroupDrawing";

const EVERY = 10_000;
const ROWS = 16;

const key = ({ namespace, name }: Group): string => `${namespace}/${name}`;

/** What was decided about it. */
const about = ({ namespace, name }: Group): string => write({ kind: "AppGroup", namespace, name });

export function Groups() {
  const asked = useQuery(() => ({
    queryKey: ["scheduling-groups"],
    queryFn: groups,
    refetchInterval: EVERY,
  }));
  const keys = createMemo(() => (asked.data ?? []).map(key));
  return (
    <section aria-labelledby="groups">
      <h2 id="groups">
        AppGroups <span>what depends on what, and what the network costs them</span>
      </h2>
      <Show when={asked.isError && asked.data}>
        <Trouble what="This is from earlier:" error={asked.error} retry={() => void asked.refetch()} />
      </Show>
      <Switch>
        <Match when={keys().length > 0}>
          <For each={keys()}>
            {(name) => (
              <Show when={asked.data?.find((group) => key(group) === name)}>
                {(group) => <OneGroup group={group()} />}
              </Show>
            )}
          </For>
        </Match>
        <Match when={asked.data}>
          <Empty title="No AppGroup">
            Apply one, and label its pods with <code>appgroup.diktyo.x-k8s.io</code> (docs/guide.md): it appears here
            over zones and nodes, with the cost of each edge.
          </Empty>
        </Match>
        <Match when={asked.isError && refused(asked.error)}>
          <Empty title="You may not see AppGroups">That needs a role that may list pods.</Empty>
        </Match>
        <Match when={asked.isError}>
          <Failure error={asked.error} retry={() => void asked.refetch()} />
        </Match>
        <Match when={asked.isPending}>
          <Rows rows={5} />
        </Match>
      </Switch>
    </section>
  );
}

function OneGroup(props: { group: Group }) {
  const [marked, setMarked] = createSignal<number>();
  const [kept, setKept] = createSignal<number>();
  const near = () => marked() ?? kept();
  const zonesUsed = () =>
    new Set(props.group.workloads.flatMap(({ pods }) => pods.map(({ node }) => nodes.get(node)?.zone ?? node))).size;
  const pods = () => props.group.workloads.reduce((sum, workload) => sum + workload.pods.length, 0);
  return (
    <article class="group" aria-label={key(props.group)}>
      <header class="group-head">
        <h3>
          <a href={`/decisions${about(props.group)}`}>
            <code>{key(props.group)}</code>
          </a>
        </h3>
        <small>
          {plural(props.group.workloads.length, "workload")} · {plural(pods(), "pod")} placed
        </small>
        <Cost group={props.group} />
      </header>
      <Show
        when={pods() > 0}
        fallback={<p class="quiet">None of its pods has a node yet: they appear here as they are placed.</p>}
      >
        <div class="group-cols" classList={{ small: zonesUsed() < 2 }}>
          <GroupDrawing group={props.group} near={near()} />
          <Edges
            group={props.group}
            near={near()}
            mark={setMarked}
            keep={(edge) => setKept(kept() === edge ? undefined : edge)}
            kept={kept()}
          />
        </div>
      </Show>
    </article>
  );
}

/** What it costs now, and what it would have without being placed as a unit. */
function Cost(props: { group: Group }) {
  const placed = useQuery(() => ({
    queryKey: ["scheduling-placed", key(props.group)],
    queryFn: async () => (await placedTogether(props.group)) ?? null,
    staleTime: 30_000,
  }));
  const then = () => placed.data?.inputs?.["network cost"];
  const alone = () => placed.data?.inputs?.["one after the other"];
  return (
    <p class="group-cost">
      {plural(props.group.edges.length, "edge")} {props.group.edges.length === 1 ? "costs" : "cost"}{" "}
      <b>{props.group.cost.toLocaleString("en-GB")}</b>
      <Show when={then() ? placed.data : undefined} fallback=".">
        {(decision) => (
          <>
            ; <a href={path("decision", decision().id)}>placed as a unit</a> they cost {then()}
            <Show when={alone()}>
              {(cost) =>
                cost() === then() ? ", as they would one after the other" : `, one after the other it was ${cost()}`
              }
            </Show>
            .
          </>
        )}
      </Show>
    </p>
  );
}

type Marking = {
  near: number | undefined;
  kept: number | undefined;
  mark(edge: number | undefined): void;
  keep(edge: number): void;
};

function Edges(props: { group: Group } & Marking) {
  const [all, setAll] = createSignal(false);
  const order = createMemo(() =>
    props.group.edges
      .map((edge, index) => ({ edge, index }))
      .sort((a, b) => b.edge.cost - a.edge.cost || b.edge.tooFar - a.edge.tooFar || a.index - b.index)
      .map(({ index }) => index),
  );
  const shown = () => (all() ? order() : order().slice(0, ROWS));
  const most = createMemo(() => Math.max(1, ...props.group.edges.map((edge) => edge.cost)));
  return (
    <div>
      <div class="table">
        <table class="edges">
          <caption class="hidden">Edges of {key(props.group)}, the dearest first</caption>
          <thead>
            <tr>
              <th scope="col">Edge</th>
              <th scope="col" class="num">
                Cost
              </th>
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
                      <td class="num" data-label="cost">
                        {edge().cost}
                        <span class="bar" aria-hidden="true">
                          <i style={{ "inline-size": `${(100 * edge().cost) / most()}%` }} />
                        </span>
                      </td>
                      <td class="num plain" data-label="pairs">
                        {edge().pairs}
                      </td>
                      <td class="limit" data-label="limit">
                        {limit(edge())}
                      </td>
                    </tr>
                  )}
                </Show>
              )}
            </For>
          </tbody>
        </table>
      </div>
      <Show when={order().length > shown().length}>
        <p class="more">
          <button type="button" onClick={() => setAll(true)}>
            {plural(order().length - shown().length, "more edge")}
          </button>
        </p>
      </Show>
    </div>
  );
}

/** How far its pods may be, how many are farther, and who says that they depend at all. */
function limit(edge: Edge): string {
  const most = edge.maxNetworkCost === undefined ? "none" : `${edge.maxNetworkCost}`;
  const far = edge.tooFar > 0 ? `, ${plural(edge.tooFar, "pair")} too far` : "";
  const source = edge.source === "declared" ? "" : edge.source === "seen" ? ", seen" : ", declared and seen";
  const weight = edge.weight === 1 ? "" : `, weight ${edge.weight}`;
  return `${most}${far}${weight}${source}`;
}
