// One decision, whole: what, why, against what else, from which numbers, and what came of it.
import { useQuery } from "@tanstack/solid-query";
import { createMemo, createSignal, For, Match, Show, Switch } from "solid-js";
import { get } from "../api/client";
import type { Decision, DecisionDetail } from "../api/types";
import { recent } from "../live/state";
import { named, subjectPath } from "../live/subject";
import { Age } from "../ui/Age";
import { exact, took } from "../ui/format";
import { Mode } from "../ui/Mode";
import { Failure, Loading } from "../ui/Notice";
import { Reason } from "../ui/Reason";
import { Said } from "../ui/Said";
import { Candidates } from "./Candidates";
import { Causes } from "./Causes";

export function OneDecision(props: { id: string }) {
  const detail = useQuery(() => ({
    queryKey: ["decision", props.id],
    queryFn: ({ signal }) => get<DecisionDetail>(`decisions/${encodeURIComponent(props.id)}`, signal),
  }));
  const current = createMemo(() => recent().find((decision) => decision.id === props.id) ?? detail.data?.decision);
  return (
    <Switch>
      <Match when={current()}>
        {(decision) => (
          <Whole
            decision={decision()}
            causes={detail.data?.causes ?? []}
            consequences={detail.data?.consequences ?? []}
          />
        )}
      </Match>
      <Match when={detail.isPending}>
        <h1>Decision</h1>
        <Loading lines={6} />
      </Match>
      <Match when={detail.isError}>
        <h1>Decision</h1>
        <Failure error={detail.error} retry={() => void detail.refetch()} />
      </Match>
    </Switch>
  );
}

function Whole(props: { decision: Decision; causes: Decision[]; consequences: Decision[] }) {
  const d = () => props.decision;
  document.title = `${d().reason}: ${named(d().subject)} · Keelson`;
  const names = () => [
    named(d().subject),
    d().subject.name,
    d().chosen ?? "",
    ...(d().candidates ?? []).map((candidate) => candidate.name),
  ];
  return (
    <>
      <h1>
        Decision
        <span class="sub">
          {d().feature} · <Age at={d().at} />
        </span>
        <Mode mode={d().mode} />
        <Reason decision={d()} />
      </h1>
      <p class="sentence">
        <Said sentence={d().sentence} names={names()} />
      </p>
      <Causes decision={d()} causes={props.causes} consequences={props.consequences} />
      <dl class="facts">
        <div>
          <dd>
            <a href={subjectPath(d().subject)}>{named(d().subject)}</a>
          </dd>
          <dt>{d().subject.kind}</dt>
        </div>
        <Show when={d().chosen}>
          <div>
            <dd>{d().chosen}</dd>
            <dt>chosen</dt>
          </div>
        </Show>
        <div>
          <dd>{took(d().took)}</dd>
          <dt>to decide</dt>
        </div>
        <div>
          <dd>{d().outcome}</dd>
          <dt>outcome</dt>
        </div>
        <Show when={d().effect}>
          {(effect) => (
            <div class={effect().as_predicted === false ? "bad" : ""}>
              <dd>
                {effect().as_predicted === undefined
                  ? "measured"
                  : effect().as_predicted
                    ? "as predicted"
                    : "not as predicted"}
              </dd>
              <dt>{effect().sentence}</dt>
            </div>
          )}
        </Show>
      </dl>
      <Candidates decision={d()} />
      <div class="halves">
        <section aria-labelledby="inputs">
          <h2 id="inputs">Numbers used</h2>
          <Pairs of={d().inputs ?? {}} none="No number mattered." />
        </section>
        <section aria-labelledby="steps">
          <h2 id="steps">What was done</h2>
          <Show when={(d().steps ?? []).length > 0} fallback={<p class="quiet">{nothing(d())}</p>}>
            <ol class="done">
              <For each={d().steps ?? []}>
                {(step) => (
                  <li class={step.result.toLowerCase()}>
                    <b>{step.result}</b> {step.action}
                    <Show when={step.detail}>
                      <small>{step.detail}</small>
                    </Show>
                  </li>
                )}
              </For>
            </ol>
          </Show>
          <Show when={d().effect}>{(effect) => <Pairs of={effect().figures ?? {}} none="" />}</Show>
        </section>
      </div>
      <Record decision={d()} />
    </>
  );
}

const nothing = (decision: Decision): string =>
  decision.outcome === "Pending"
    ? "Under way."
    : decision.outcome === "Would"
      ? "Nothing: it was only recorded."
      : "Nothing had to be done.";

function Pairs(props: { of: Record<string, string>; none: string }) {
  return (
    <Show when={Object.keys(props.of).length > 0} fallback={<p class="quiet">{props.none}</p>}>
      <dl class="pairs">
        <For each={Object.entries(props.of)}>
          {([name, value]) => (
            <div>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          )}
        </For>
      </dl>
    </Show>
  );
}

function Record(props: { decision: Decision }) {
  const [copied, setCopied] = createSignal("");
  const copy = (what: string, text: string) =>
    void navigator.clipboard.writeText(text).then(
      () => setCopied(`${what} copied`),
      () => setCopied("Copying is not allowed here"),
    );
  const json = () => JSON.stringify(props.decision, null, 2);
  return (
    <details class="record">
      <summary>The record</summary>
      <p class="record-line">
        <span>
          at <time datetime={exact(props.decision.at)}>{exact(props.decision.at)}</time>
        </span>
        <span>
          id <code>{props.decision.id}</code>
        </span>
        <span>
          fence <code>{props.decision.fence}</code>
        </span>
        <Show when={props.decision.trace_id}>
          {(trace) => (
            <button type="button" class="quiet" onClick={() => copy("Trace id", trace())}>
              trace <code>{trace()}</code>
            </button>
          )}
        </Show>
      </p>
      <p class="record-line">
        <button type="button" onClick={() => copy("Link", location.href)}>
          Copy link
        </button>
        <button type="button" onClick={() => copy("JSON", json())}>
          Copy JSON
        </button>
        <span role="status">{copied()}</span>
      </p>
      <pre tabindex={0} role="region" aria-label="JSON">
        {json()}
      </pre>
    </details>
  );
}
