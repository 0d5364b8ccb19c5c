// One AppGroup: as it runs and, where there is something better, as Keelson would have it beside it; and its edges.
import { createMemo, createSignal, For, Show } from "solid-js";
import { path } from "../../live/router";
import { nodes } from "../../live/state";
import { plural } from "../../ui/format";
import { More } from "../../ui/More";
import type { Better, Group, Proposal, Step } from "./answers";
import { Edges } from "./Edges";
import { GroupDrawing } from "./GroupDrawing";
import { becomes, nothing, worth } from "./price";

const ROWS = 8;
const KINDS = { moves: "Move by move", anew: "All placed anew" } as const;

export function GroupView(props: { group: Group; proposal: Proposal | undefined }) {
  const [marked, setMarked] = createSignal<number>();
  const [kept, setKept] = createSignal<number>();
  const near = () => marked() ?? kept();
  const [kind, setKind] = createSignal<Better["kind"]>("moves");
  const better = () => props.proposal?.better.find((one) => one.kind === kind()) ?? props.proposal?.better[0];
  const pods = () => props.group.workloads.reduce((sum, workload) => sum + workload.pods.length, 0);
  const zonesUsed = () =>
    new Set(props.group.workloads.flatMap(({ pods }) => pods.map(({ node }) => nodes.get(node)?.zone ?? node))).size;
  const marking = () => ({
    near: near(),
    kept: kept(),
    mark: setMarked,
    keep: (edge: number) => setKept(kept() === edge ? undefined : edge),
  });
  return (
    <Show
      when={pods() > 0}
      fallback={<p class="quiet">None of its pods has a node yet: they appear here as they are placed.</p>}
    >
      <Show
        when={props.proposal && better() && { proposal: props.proposal, better: better() as Better }}
        fallback={
          <>
            <div class="group-cols" classList={{ small: zonesUsed() < 2 }}>
              <GroupDrawing group={props.group} near={near()} />
              <Edges group={props.group} {...marking()} />
            </div>
            <Show when={props.proposal}>
              {(proposal) => <p class="quiet foot proposal-none">{nothing(proposal())}</p>}
            </Show>
          </>
        }
      >
        {(found) => (
          <>
            <Pair {...found()} near={near()} kind={found().better.kind} choose={setKind} />
            <div class="group-cols">
              <Edges group={found().proposal.now} then={found().better.group} {...marking()} />
              <Moves moves={found().better.moves} />
            </div>
            <Everywhere now={found().proposal.now} then={found().better.group} />
          </>
        )}
      </Show>
    </Show>
  );
}

type Pairing = {
  proposal: Proposal;
  better: Better;
  near: number | undefined;
  kind: Better["kind"];
  choose(kind: Better["kind"]): void;
};

/** Both pictures, and what lies between them in numbers. */
function Pair(props: Pairing) {
  const moves = createMemo(() => new Set(props.better.moves.map(({ pod }) => pod)));
  const name = () => props.proposal.now.name;
  const told = () => worth(props.proposal, props.better);
  const cost = (group: Group) => group.cost.toLocaleString("en-GB");
  return (
    <div class="proposal">
      <Show when={props.proposal.better.length > 1}>
        <p class="windows" role="group" aria-label="How it would be">
          <For each={props.proposal.better}>
            {({ kind }) => (
              <button type="button" class="quiet" aria-pressed={props.kind === kind} onClick={() => props.choose(kind)}>
                {KINDS[kind]}
              </button>
            )}
          </For>
        </p>
      </Show>
      <div class="pair">
        <figure>
          <figcaption>
            As it runs now <b>{cost(props.proposal.now)}</b>
          </figcaption>
          <GroupDrawing
            group={props.proposal.now}
            near={props.near}
            beside={{ other: props.better.group, moves: moves(), word: "leaves" }}
            label={`${name()} as it runs now`}
          />
        </figure>
        <figure>
          <figcaption>
            As Keelson proposes <b>{cost(props.better.group)}</b>
          </figcaption>
          <GroupDrawing
            group={props.better.group}
            near={props.near}
            beside={{ other: props.proposal.now, moves: moves(), word: "comes" }}
            label={`${name()} as Keelson proposes`}
          />
        </figure>
      </div>
      <dl class="facts">
        <div>
          <dd>
            {cost(props.proposal.now)} <span aria-hidden="true">→</span>
            <span class="hidden"> to </span> {cost(props.better.group)}
          </dd>
          <dt>all edges cost</dt>
        </div>
        <div>
          <dd>
            {told().saved.toLocaleString("en-GB")} ({told().share})
          </dd>
          <dt>saved</dt>
        </div>
        <div>
          <dd>{plural(told().evictions, "eviction")}</dd>
          <dt>the price</dt>
        </div>
        <div class="becomes">
          <dd>{becomes(props.proposal, props.better)}</dd>
        </div>
      </dl>
    </div>
  );
}

/** Who would move, and where. */
function Moves(props: { moves: Step[] }) {
  const [all, setAll] = createSignal(false);
  const shown = () => (all() ? props.moves : props.moves.slice(0, ROWS));
  return (
    <div>
      <div class="table">
        <table class="edges who-moves">
          <caption class="hidden">Pods that would move</caption>
          <thead>
            <tr>
              <th scope="col">Pod that moves</th>
              <th scope="col">From</th>
              <th scope="col">To</th>
            </tr>
          </thead>
          <tbody>
            <For each={shown()}>
              {(step) => (
                <tr>
                  <th scope="row">
                    <a href={path("subject", "Pod", ...step.pod.split("/"))}>{step.pod.split("/")[1]}</a>
                  </th>
                  <td data-label="from">
                    <Node name={step.from} />
                  </td>
                  <td data-label="to">
                    <Node name={step.to} />
                  </td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </div>
      <More left={props.moves.length - shown().length} of="pod" show={() => setAll(true)} />
    </div>
  );
}

function Node(props: { name: string }) {
  return (
    <a href={path("subject", "Node", "-", props.name)}>
      <code>{props.name}</code>
    </a>
  );
}

/** The two pictures as a table: where each pod is, and where it would be. Made when it is asked for. */
function Everywhere(props: { now: Group; then: Group }) {
  const [open, setOpen] = createSignal(false);
  const zone = (node: string) => nodes.get(node)?.zone || "no zone";
  const rows = createMemo(() => {
    const then = new Map(props.then.workloads.flatMap(({ pods }) => pods.map(({ pod, node }) => [pod, node])));
    return props.now.workloads.flatMap(({ selector, pods }) =>
      pods.map(({ pod, node }) => ({ selector, pod, node, to: then.get(pod) ?? node })),
    );
  });
  return (
    <details class="as-table" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Both as a table</summary>
      <Show when={open()}>
        <div class="table" role="region" aria-label="Where its pods are, and would be" tabindex={0}>
          <table class="edges places">
            <thead>
              <tr>
                <th scope="col">Pod</th>
                <th scope="col">Workload</th>
                <th scope="col">Now</th>
                <th scope="col">Proposed</th>
              </tr>
            </thead>
            <tbody>
              <For each={rows()}>
                {(row) => (
                  <tr classList={{ near: row.node !== row.to }}>
                    <th scope="row">
                      <a href={path("subject", "Pod", ...row.pod.split("/"))}>{row.pod.split("/")[1]}</a>
                    </th>
                    <td data-label="workload">{row.selector}</td>
                    <td data-label="now">
                      <Node name={row.node} /> <small class="quiet">{zone(row.node)}</small>
                    </td>
                    <td data-label="proposed">
                      <Show when={row.node !== row.to} fallback="the same">
                        <Node name={row.to} /> <small class="quiet">{zone(row.to)}</small>
                      </Show>
                    </td>
                  </tr>
                )}
              </For>
            </tbody>
          </table>
        </div>
      </Show>
    </details>
  );
}
