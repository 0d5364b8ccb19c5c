// Everything about one object: where it is and why, in words, and what was decided about it, as a timeline.
import { useQuery } from "@tanstack/solid-query";
import { createMemo, For, Match, Show, Switch } from "solid-js";
import { get } from "../api/client";
import type { Decision, DecisionPage, Subject } from "../api/types";
import { path } from "../live/router";
import { recent } from "../live/state";
import { kindOf, named } from "../live/subject";
import { Age } from "../ui/Age";
import { Empty, Failure, Loading } from "../ui/Notice";
import { Reason } from "../ui/Reason";

const MOST = 100;

export function SubjectPage(props: { segments: [string, string, string] }) {
  const [kind, namespace, name] = props.segments;
  const title = namespace === "-" ? name : `${namespace}/${name}`;
  document.title = `${kind} ${title} · Keelson`;
  const query = new URLSearchParams({ kind: kind.split(".")[0] ?? kind, name, limit: String(MOST) });
  if (namespace !== "-") query.set("namespace", namespace);

  const subject = useQuery(() => ({
    queryKey: ["subject", ...props.segments],
    queryFn: ({ signal }) => get<Subject>(`subjects/${props.segments.map(encodeURIComponent).join("/")}`, signal),
    refetchInterval: 5_000,
  }));
  const past = useQuery(() => ({
    queryKey: ["decisions-of", ...props.segments],
    queryFn: ({ signal }) => get<DecisionPage>(`decisions?${query}`, signal),
  }));
  const about = (decision: Decision) => kindOf(decision.subject) === kind && named(decision.subject) === title;
  const timeline = createMemo((): Decision[] => {
    const rows = new Map((past.data?.decisions ?? []).map((decision) => [decision.id, decision]));
    for (const decision of recent().filter(about)) rows.set(decision.id, decision);
    return [...rows.values()].sort((a, b) => b.at - a.at);
  });

  return (
    <>
      <h1>
        <small>{kind.split(".")[0]}</small> <code>{title}</code>
      </h1>
      <Switch>
        <Match when={subject.isPending}>
          <Loading lines={3} />
        </Match>
        <Match when={subject.isError && timeline().length === 0}>
          <Failure error={subject.error} retry={() => void subject.refetch()} />
        </Match>
        <Match when={subject.data}>{(data) => <Now subject={data()} />}</Match>
      </Switch>
      <section aria-labelledby="timeline">
        <h2 id="timeline">
          Decided about it <span>newest first</span>
        </h2>
        <Show
          when={timeline().length > 0}
          fallback={
            <Show when={!past.isPending} fallback={<Loading lines={4} />}>
              <Empty title="Nothing decided about it">A decision appears here when a feature looks at it.</Empty>
            </Show>
          }
        >
          <ol class="timeline">
            <For each={timeline()}>
              {(decision) => (
                <li>
                  <span class="when">
                    <Age at={decision.last_at} />
                  </span>
                  <div>
                    <Reason decision={decision} />
                    <p>
                      <a href={path("decision", decision.id)}>{decision.sentence}</a>
                    </p>
                    <Show when={decision.effect}>{(effect) => <p class="effect">{effect().sentence}</p>}</Show>
                  </div>
                </li>
              )}
            </For>
          </ol>
        </Show>
      </section>
    </>
  );
}

function Now(props: { subject: Subject }) {
  return (
    <>
      <p class="sentence">{props.subject.sentence}.</p>
      <Show when={props.subject.why}>
        {(why) => (
          <div class="why">
            <h2>Why</h2>
            <p>{why().sentence}</p>
            <For each={why().changes}>
              {(change) => (
                <p class="hint">
                  {change.sentence}
                  <Show when={change.verified}>
                    <small> Checked by deciding again.</small>
                  </Show>
                </p>
              )}
            </For>
            <Show when={why().decision}>
              {(id) => (
                <p>
                  <a href={path("decision", id())}>The newest decision, with its candidates</a>
                </p>
              )}
            </Show>
          </div>
        )}
      </Show>
      <dl class="pairs wide-pairs">
        <For each={Object.entries(props.subject.summary)}>
          {([word, value]) => (
            <div>
              <dt>{word}</dt>
              <dd>{value}</dd>
            </div>
          )}
        </For>
      </dl>
    </>
  );
}
