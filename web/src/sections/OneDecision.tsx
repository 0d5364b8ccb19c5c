// One decision, whole: what, why, against what else, from which numbers, and what came of it.
import { useQuery } from "@tanstack/solid-query";
import { createEffect, createMemo, For, Match, Show, Switch } from "solid-js";
import { get } from "../api/client";
import type { Decision, DecisionDetail } from "../api/types";
import { path } from "../live/router";
import { recent } from "../live/state";
import { named, subjectPath } from "../live/subject";
import { Age } from "../ui/Age";
import { Story } from "../ui/Bones";
import { clock, exact, took, unbroken } from "../ui/format";
import { Mode } from "../ui/Mode";
import { Failure, Trouble } from "../ui/Notice";
import { Reason } from "../ui/Reason";
import { Said } from "../ui/Said";
import { Candidates } from "./Candidates";
import { Causes } from "./Causes";
import { feasible, untilRunning } from "./facts";
import { KEYS } from "./fresh";
import { Record, Tools } from "./Record";
import { Siblings } from "./Siblings";

export function OneDecision(props: { id: string }) {
  const detail = useQuery(() => ({
    queryKey: [KEYS.one, props.id],
    queryFn: ({ signal }) => get<DecisionDetail>(`decisions/${encodeURIComponent(props.id)}`, signal),
  }));
  const current = createMemo(() => recent().find((decision) => decision.id === props.id) ?? detail.data?.decision);
  createEffect(() => {
    const decision = current();
    document.title = `${decision ? `${decision.reason}: ${named(decision.subject)}` : "Decision"} · Keelson`;
  });
  return (
    <Switch>
      <Match when={current()}>
        {(decision) => (
          <>
            <Head decision={decision()} />
            <Show when={detail.isError}>
              <Trouble
                what="What led to it and what followed is not known:"
                error={detail.error}
                retry={() => void detail.refetch()}
              />
            </Show>
            <Whole
              decision={decision()}
              causes={detail.data?.causes ?? []}
              consequences={detail.data?.consequences ?? []}
              hidden={detail.data?.hidden ?? 0}
            />
          </>
        )}
      </Match>
      <Match when={detail.isPending}>
        <h1>Decision</h1>
        <Story rows={5} />
      </Match>
      <Match when={detail.isError}>
        <h1>Decision</h1>
        <Failure error={detail.error} retry={() => void detail.refetch()} />
      </Match>
    </Switch>
  );
}

function Head(props: { decision: Decision }) {
  const d = () => props.decision;
  return (
    <div class="decision-head">
      <h1>
        Decision
        <span class="sub">
          {d().feature} ·{" "}
          <time datetime={exact(d().at)} title={exact(d().at)}>
            {clock(d().at)}
          </time>
          , <Age at={d().at} />
        </span>
        <Mode mode={d().mode} />
        <Reason decision={d()} />
      </h1>
      <Tools decision={d()} />
    </div>
  );
}

function Whole(props: { decision: Decision; causes: Decision[]; consequences: Decision[]; hidden: number }) {
  const d = () => props.decision;
  const names = () => [
    named(d().subject),
    d().subject.name,
    d().chosen ?? "",
    ...(d().candidates ?? []).map((candidate) => candidate.name),
  ];
  return (
    <>
      <p class="sentence">
        <Said sentence={d().sentence} names={names()} />
      </p>
      <Siblings decision={d()} />
      <Causes decision={d()} causes={props.causes} consequences={props.consequences} />
      <Show when={props.hidden > 0}>
        <p class="hint">
          {props.hidden === 1 ? "One decision" : `${props.hidden} decisions`} beside this one in the chain: you may not
          see what
          {props.hidden === 1 ? " it is" : " they are"} about.
        </p>
      </Show>
      <dl class="facts">
        <div>
          <dd>
            <a href={subjectPath(d().subject)}>{named(d().subject)}</a>
          </dd>
          <dt>{d().subject.kind}</dt>
        </div>
        <Show when={d().chosen}>
          {(chosen) => (
            <div>
              <dd>
                <a href={path("subject", "Node", "-", chosen())}>{chosen()}</a>
              </dd>
              <dt>{d().verb === "Compare" ? "Keelson's choice" : "chosen"}</dt>
            </div>
          )}
        </Show>
        <Show when={feasible(d())}>
          {(count) => (
            <div>
              <dd>{count()}</dd>
              <dt>nodes feasible</dt>
            </div>
          )}
        </Show>
        <div>
          <dd>{took(d().took)}</dd>
          <dt>to decide</dt>
        </div>
        <Show when={untilRunning(d())}>
          {(span) => (
            <div>
              <dd>{span()}</dd>
              <dt>to Running</dt>
            </div>
          )}
        </Show>
        <div>
          <dd>{OUTCOMES[d().outcome]}</dd>
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
              <dt>{unbroken(effect().sentence)}</dt>
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
            <ol class="deeds">
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

const OUTCOMES: { [outcome in Decision["outcome"]]: string } = {
  NoAction: "nothing to do",
  Would: "only recorded",
  Pending: "under way",
  Done: "done",
  Failed: "failed",
};

const nothing = (decision: Decision): string =>
  decision.outcome === "Pending"
    ? "Under way."
    : decision.outcome === "Would"
      ? "Nothing: it was only recorded."
      : "Nothing had to be done.";

function Pairs(props: { of: { [name: string]: string }; none: string }) {
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
