// What is going on: each feature, the cluster as cells, and decisions as they are made.
import { createMemo, For, Show } from "solid-js";
import type { FeatureView } from "../api/types";
import { session } from "../live/session";
import { nodes, overview } from "../live/state";
import { plural } from "../ui/format";
import { Mode } from "../ui/Mode";
import { Empty } from "../ui/Notice";
import { Sparkline } from "../ui/Sparkline";
import { Chains } from "./Chains";
import { ClusterMap } from "./ClusterMap";

export function Now() {
  document.title = "Now · Keelson";
  const pods = createMemo(() => nodes.all().reduce((sum, node) => sum + node.pods, 0));
  return (
    <>
      <h1>
        Now
        <Show when={nodes.known() && session()?.may_see_nodes !== false}>
          <span class="sub">
            {plural(nodes.names().length, "node")} · {plural(pods(), "pod")}
          </span>
        </Show>
      </h1>
      <Show when={overview.value} fallback={<FeatureComing />}>
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
          <Show when={nodes.known()} fallback={<MapComing />}>
            <Show
              when={nodes.names().length > 0}
              fallback={
                session()?.may_see_nodes === false ? (
                  <Empty title="You may not see the nodes">That needs a role that may list nodes.</Empty>
                ) : (
                  <Empty title="No node yet">A node appears here when it registers.</Empty>
                )
              }
            >
              <ClusterMap />
            </Show>
          </Show>
        </section>
        <Chains />
      </div>
    </>
  );
}

function FeatureCard(props: { feature: FeatureView }) {
  const counts = () => props.feature.counts;
  const peak = () => Math.max(0, ...props.feature.sparkline.map((point) => point.value));
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
      <small class="spark-note" aria-hidden="true">
        decisions a minute, last hour · at most {peak()}
      </small>
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

function FeatureComing() {
  return (
    <div class="features" role="status" aria-label="Loading">
      <div class="feature coming">
        <span class="bone" />
        <span class="bone" />
        <span class="bone" />
      </div>
    </div>
  );
}

function MapComing() {
  return (
    <div class="map map-coming" role="status" aria-label="Loading">
      <For each={Array.from({ length: 36 })}>{() => <span class="bone" />}</For>
    </div>
  );
}
