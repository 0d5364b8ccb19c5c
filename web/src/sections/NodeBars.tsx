// A node's resources as bars: what its pods requested of what there is and, where somebody measures it, what they use.
import { For, Show } from "solid-js";
import type { NodeView } from "../api/types";
import { amount, ofWhole, percent, plural } from "../ui/format";

const KNOWN = ["cpu", "memory", "pods"];
const share = (part: number, whole: number): number => (whole > 0 ? Math.min(100, (100 * part) / whole) : 0);

export function NodeBars(props: { node: NodeView }) {
  const marks = () =>
    [
      props.node.zone,
      props.node.instance_type,
      props.node.spot && "Spot",
      !props.node.ready && "not ready",
      props.node.cordoned && "cordoned",
      plural(props.node.pods, "pod"),
    ].filter(Boolean);
  return (
    <section class="node" aria-label="What it holds">
      <p class="marks">
        <For each={marks()}>{(mark) => <span class="mode">{mark}</span>}</For>
      </p>
      <dl class="bars">
        <For each={props.node.resources.filter((resource) => resource.capacity > 0)}>
          {(resource) => (
            <div>
              <dt>{resource.name}</dt>
              <dd>
                <span class="bar" aria-hidden="true">
                  <i
                    class={KNOWN.includes(resource.name) ? resource.name : "other"}
                    style={{ "inline-size": `${share(resource.requested, resource.capacity)}%` }}
                  />
                  <Show when={resource.used !== undefined}>
                    <b style={{ "inset-inline-start": `${share(resource.used ?? 0, resource.capacity)}%` }} />
                  </Show>
                </span>
                <span class="amounts">
                  {ofWhole(resource.name, resource.requested, resource.capacity)} requested (
                  {percent((1_000 * resource.requested) / resource.capacity)})
                  <Show when={resource.used !== undefined}>, {amount(resource.name, resource.used ?? 0)} used</Show>
                </span>
              </dd>
            </div>
          )}
        </For>
      </dl>
    </section>
  );
}
