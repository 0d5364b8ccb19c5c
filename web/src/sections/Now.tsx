// What is going on: each feature, the cluster as cells, and decisions as they are made.
import { createEffect, createMemo, createSignal, For, Index, Show } from "solid-js";
import type { FeatureView } from "../api/types";
import { chains } from "../live/chains";
import { nodes, nodesKnown, overview, recent } from "../live/state";
import { named } from "../live/subject";
import { plural } from "../ui/format";
import { Mode } from "../ui/Mode";
import { Empty, Loading } from "../ui/Notice";
import { Sparkline } from "../ui/Sparkline";
import { ChainCard } from "./ChainCard";
import { ClusterMap } from "./ClusterMap";

const CHAINS = 24;

export function Now() {
  document.title = "Now · Keelson";
  const pods = createMemo(() => [...nodes().values()].reduce((sum, node) => sum + node.pods, 0));
  return (
    <>
      <h1>
        Now
        <Show when={nodesKnown()}>
          <span class="sub">
            {plural(nodes().size, "node")} · {plural(pods(), "pod")}
          </span>
        </Show>
      </h1>
      <Show when={overview.value} fallback={<Loading lines={2} />}>
        {(value) => (
          <div class="features">
            <For each={value().features}>{(feature) => <FeatureCard feature={feature} />}</For>
          </div>
        )}
      </Show>
      <div class="cols">
        <section aria-labelledby="map">
          <h2 id="map">
            Cluster <span>what limits each node</span>
          </h2>
          <Show when={nodesKnown()} fallback={<Loading lines={6} />}>
            <Show
              when={nodes().size > 0}
              fallback={<Empty title="No node yet">A node appears here when it registers.</Empty>}
            >
              <ClusterMap nodes={[...nodes().values()]} />
            </Show>
          </Show>
        </section>
        <Stream />
      </div>
    </>
  );
}

function FeatureCard(props: { feature: FeatureView }) {
  const counts = () => props.feature.counts;
  const figures = () =>
    [
      ["placed", counts().placed, "good"],
      ["waiting", counts().waiting, "wait"],
      ["refused", counts().refused, "wait"],
      ["compared", counts().would, "would"],
      ["failed", counts().failed, "bad"],
    ] as const;
  return (
    <a class="feature" href="/settings">
      <span class="feature-top">
        <b>{props.feature.title}</b>
        <Show when={props.feature.paused || props.feature.breaker}>
          <span class="mode held">{props.feature.paused ? "Paused" : "Breaker open"}</span>
        </Show>
        <Mode mode={props.feature.mode} />
      </span>
      <p>{props.feature.breaker ?? props.feature.headline}</p>
      <Sparkline points={props.feature.sparkline} label="Decisions a minute over the last hour" />
      <dl class="figures">
        <For each={figures().filter(([, count]) => count > 0)}>
          {([name, count, tone]) => (
            <div class={tone}>
              <dt>{name}</dt>
              <dd>{count.toLocaleString("en-GB")}</dd>
            </div>
          )}
        </For>
      </dl>
    </a>
  );
}

function Stream() {
  const [paused, setPaused] = createSignal(false);
  const [shown, setShown] = createSignal(recent());
  createEffect(() => {
    const now = recent();
    if (!paused()) setShown(now);
  });
  const missed = () => recent().filter((decision) => !shown().some((there) => there.id === decision.id)).length;
  const folded = createMemo(() => chains(shown(), CHAINS));
  // One sentence every few seconds is enough for those who listen.
  const newest = createMemo(() => shown()[0]);
  const [spoken, setSpoken] = createSignal("");
  let last = 0;
  createEffect(() => {
    const decision = newest();
    if (!decision || Date.now() - last < 10_000) return;
    last = Date.now();
    setSpoken(`${decision.reason}: ${named(decision.subject)}`);
  });
  return (
    <section aria-labelledby="stream">
      <h2 id="stream">
        Decisions, as chains
        <button type="button" class="quiet" aria-pressed={paused()} onClick={() => setPaused(!paused())}>
          {paused() ? `Go on${missed() > 0 ? ` (${missed()} new)` : ""}` : "Pause"}
        </button>
      </h2>
      <p class="hidden" aria-live="polite">
        {spoken()}
      </p>
      <Show
        when={folded().length > 0}
        fallback={<Empty title="Nothing decided yet">The first pod that needs a node appears here.</Empty>}
      >
        <div class="chains">
          <Index each={folded()}>{(chain) => <ChainCard chain={chain()} />}</Index>
        </div>
      </Show>
    </section>
  );
}
