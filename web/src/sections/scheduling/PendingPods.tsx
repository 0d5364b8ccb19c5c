// Pods that wait, by reason, with what would help them.
import { useQuery } from "@tanstack/solid-query";
import { createMemo, createSignal, For, Show } from "solid-js";
import { path } from "../../live/router";
import { recent } from "../../live/state";
import { Answered } from "../../ui/Answered";
import { plural } from "../../ui/format";
import { Empty } from "../../ui/Notice";
import { pieces } from "../scores";
import { type PendingPod, pending } from "./answers";
import { grouped, type Help, type Reason } from "./pending";

const EVERY = 5_000;
/** Who may not see all namespaces asks one by one, and less often. */
const SELDOM = 20_000;
/** How many pods are named before a person asks for more. */
const FEW = 8;

const seen = (): string[] =>
  [...new Set(recent().flatMap(({ subject }) => (subject.kind === "Pod" && subject.namespace) || []))].slice(0, 20);

export function PendingPods() {
  const asked = useQuery(() => ({
    queryKey: ["scheduling-pending"],
    queryFn: () => pending(seen),
    refetchInterval: ({ state }) => (state.data && !state.data.partial ? EVERY : SELDOM),
  }));
  const reasons = createMemo(() => (asked.data ? grouped(asked.data) : []));
  // A reason keeps its place on the page while its pods come and go.
  const names = createMemo(() => reasons().map((one) => one.reason));
  const unnamed = () => (asked.data ? asked.data.waiting - asked.data.pods.length : 0);
  return (
    <section aria-labelledby="pending">
      <h2 id="pending">
        Waiting
        <span>
          <Show when={asked.data}>
            {(data) => (
              <>
                {plural(data().waiting, "pod")}
                {data().partial ? ", of the namespaces you see" : ""}
              </>
            )}
          </Show>
        </span>
      </h2>
      <Answered
        asked={asked}
        there={reasons().length > 0}
        none={
          <Empty title="No pod waits">
            A pod with <code>schedulerName: keelson</code> appears here while no node can hold it, with the smallest
            change that would help.
          </Empty>
        }
        refusal={{ title: "You may not see all pods", role: "That needs a role that may list pods." }}
        rows={4}
      >
        {() => (
          <>
            <div class="waits">
              <For each={names()}>
                {(name) => (
                  <Show when={reasons().find((one) => one.reason === name)}>
                    {(reason) => <Waits reason={reason()} />}
                  </Show>
                )}
              </For>
            </div>
            <Show when={unnamed() > 0}>
              <p class="quiet foot">{plural(unnamed(), "more pod")} in the counts, not named here.</p>
            </Show>
          </>
        )}
      </Answered>
    </section>
  );
}

function Waits(props: { reason: Reason }) {
  return (
    <article class="waits-for" aria-label={props.reason.reason}>
      <p class="waits-head">
        <b class="reason wait">{props.reason.reason}</b>
        <span class="quiet">{props.reason.meaning}</span>
        <span class="waits-count">
          {plural(props.reason.count, "pod")}
          <small>{props.reason.namespaces.join(", ")}</small>
        </span>
      </p>
      <For each={props.reason.helps}>{(help) => <Helps help={help} />}</For>
    </article>
  );
}

function Helps(props: { help: Help }) {
  const [all, setAll] = createSignal(false);
  const shown = () => (all() ? props.help.pods : props.help.pods.slice(0, FEW));
  const left = () => props.help.pods.length - shown().length;
  return (
    <div class="helps">
      <Show when={props.help.sentence}>
        {(sentence) => (
          <p class="said">
            <Show when={props.help.decision} fallback={<Shortfalls sentence={sentence()} />}>
              {(id) => (
                <a href={path("decision", id())}>
                  <Shortfalls sentence={sentence()} />
                </a>
              )}
            </Show>
          </p>
        )}
      </Show>
      <p class={props.help.tried ? "hint" : "fix"}>
        {props.help.fix}
        <Show when={props.help.tried}>
          <small> Checked by deciding again.</small>
        </Show>
      </p>
      <ul class="pods">
        <For each={shown()}>{(pod) => <Pod pod={pod} />}</For>
        <Show when={left() > 0}>
          <li>
            <button type="button" class="quiet" onClick={() => setAll(true)}>
              {left().toLocaleString("en-GB")} more
            </button>
          </li>
        </Show>
      </ul>
    </div>
  );
}

function Shortfalls(props: { sentence: string }) {
  return (
    <For each={pieces(props.sentence)}>
      {(piece) => (
        <Show when={piece.short} fallback={piece.text}>
          <b class="short">{piece.text}</b>
        </Show>
      )}
    </For>
  );
}

function Pod(props: { pod: PendingPod }) {
  return (
    <li>
      <a href={path("subject", "Pod", props.pod.namespace, props.pod.name)}>
        <code>
          {props.pod.namespace}/{props.pod.name}
        </code>
      </a>
    </li>
  );
}
