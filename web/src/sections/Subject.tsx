// Everything about one object: where it is and why, in words, and what was decided about it, as a timeline.
import { useInfiniteQuery, useQuery } from "@tanstack/solid-query";
import { createEffect, createMemo, For, Match, on, Show, Switch } from "solid-js";
import { ApiError, get } from "../api/client";
import type { Decision, DecisionPage, ObjectRef, Subject } from "../api/types";
import { path } from "../live/router";
import { link, nodes, recent } from "../live/state";
import { named, subjectPath } from "../live/subject";
import { Age } from "../ui/Age";
import { Rows, Story } from "../ui/Bones";
import { ById } from "../ui/ById";
import { unbroken } from "../ui/format";
import { Older } from "../ui/More";
import { Empty, Failure, Trouble } from "../ui/Notice";
import { Reason } from "../ui/Reason";
import { Said } from "../ui/Said";
import { tone } from "../ui/tone";
import { Conditions } from "./Conditions";
import { KEYS } from "./fresh";
import { pieces } from "./links";
import { NodeBars } from "./NodeBars";
import { GroupOf } from "./scheduling/GroupOf";
import { together } from "./together";

const PAGE = 50;
/** What a node's marks say. */
const MARKS = ["zone", "instance type", "pods requested"];
/** How often to ask while the stream, which would say it, is away. */
const AWAY_EVERY = 5_000;

/** A node as it is, once it is known: the names say when it comes, its own signal how it fills. */
const view = (name: string) => (nodes.names().includes(name) ? nodes.get(name) : undefined);

export function SubjectPage(props: { segments: [string, string, string] }) {
  const [kind, namespace, name] = props.segments;
  const title = namespace === "-" ? name : `${namespace}/${name}`;
  document.title = `${kind.split(".")[0]} ${title} · Keelson`;
  const isIt = (object: ObjectRef) => object.kind === kind.split(".")[0] && named(object) === title;

  const subject = useQuery(() => ({
    queryKey: ["subject", ...props.segments],
    queryFn: ({ signal }) => get<Subject>(`subjects/${props.segments.map(encodeURIComponent).join("/")}`, signal),
    refetchInterval: link().state === "live" ? false : AWAY_EVERY,
  }));
  const past = useInfiniteQuery(() => ({
    queryKey: [KEYS.about, ...props.segments],
    queryFn: ({ pageParam, signal }) => about(props.segments, pageParam, signal),
    initialPageParam: "",
    getNextPageParam: (page: DecisionPage) => page.next,
  }));
  const live = createMemo(() =>
    recent().filter((decision) => [decision.subject, ...(decision.related ?? [])].some(isIt)),
  );
  const timeline = createMemo(() => together(past.data?.pages ?? [], live()));
  const node = () => (kind === "Node" ? view(name) : undefined);

  // What was decided about it, or a change of the node it is on, changes what is said of it.
  const news = createMemo(() => {
    const decided = live().map((one) => `${one.id} ${one.count} ${one.outcome} ${one.effect?.at}`);
    return [...decided, view(subject.data?.summary.node ?? name)?.pods].join();
  });
  createEffect(on(news, () => void subject.refetch({ cancelRefetch: false }), { defer: true }));

  return (
    <>
      <h1>
        <small>{kind.split(".")[0]}</small> <code>{title}</code>
      </h1>
      <Switch>
        <Match when={subject.data}>{(data) => <Sentence subject={data()} />}</Match>
        <Match when={subject.isPending}>
          <Story rows={2} />
        </Match>
        <Match when={subject.isError && (timeline().length > 0 || node())}>
          <Trouble what="What it is now is not known:" error={subject.error} retry={() => void subject.refetch()} />
        </Match>
        <Match when={subject.isError}>
          <Failure error={subject.error} retry={() => void subject.refetch()} />
        </Match>
      </Switch>
      <Show when={kind === "Pod" && subject.data}>
        <p class="elsewhere">
          <a class="button" href={`/scheduling?pod=${encodeURIComponent(title)}`}>
            What if it were different?
          </a>
        </p>
      </Show>
      <Show when={(subject.data?.conditions ?? []).length > 0}>
        <Conditions conditions={subject.data?.conditions ?? []} />
      </Show>
      <Show when={node()}>{(view) => <NodeBars node={view()} />}</Show>
      <Show when={subject.data}>
        {(data) => <Facts subject={data()} drawn={node()?.resources.map((resource) => resource.name) ?? []} />}
      </Show>
      <Show when={kind.split(".")[0] === "AppGroup"}>
        <GroupOf namespace={namespace} name={name} />
      </Show>
      <section aria-labelledby="timeline">
        <h2 id="timeline">
          Decided about it <span>newest first</span>
        </h2>
        <Show when={past.isError}>
          <Trouble
            what={timeline().length > 0 ? "Not all could be read:" : "They could not be read:"}
            error={past.error}
            retry={() => void (past.isFetchNextPageError ? past.fetchNextPage() : past.refetch())}
          />
        </Show>
        <Show
          when={timeline().length > 0}
          fallback={
            <Switch>
              <Match when={past.isPending}>
                <Rows rows={4} />
              </Match>
              <Match when={past.isSuccess}>
                <Empty title="Nothing decided about it">A decision appears here when a feature looks at it.</Empty>
              </Match>
            </Switch>
          }
        >
          <ol class="timeline">
            <ById each={timeline()}>
              {(decision) => <Entry decision={decision()} isIt={isIt(decision().subject)} />}
            </ById>
          </ol>
          <Older list={past} />
        </Show>
      </section>
    </>
  );
}

/** What was decided about an object, or names it: older servers know only the decisions whose subject it is. */
async function about(segments: [string, string, string], before: string, signal: AbortSignal): Promise<DecisionPage> {
  const [kind, namespace, name] = segments;
  const page: Record<string, string> = { limit: String(PAGE), ...(before ? { before } : {}) };
  const ask = (query: Record<string, string>) =>
    get<DecisionPage>(`decisions?${new URLSearchParams({ ...query, ...page })}`, signal);
  try {
    return await ask({ about: segments.join("/") });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 400) throw error;
    return ask({ kind: kind.split(".")[0] ?? kind, name, ...(namespace === "-" ? {} : { namespace }) });
  }
}

function Entry(props: { decision: Decision; isIt: boolean }) {
  const d = () => props.decision;
  return (
    <li class={tone(d())}>
      <span class="when">
        <Age at={d().at} />
        <Show when={d().count > 1}>
          <small>
            {" "}
            again <Age at={d().last_at} />
          </small>
        </Show>
      </span>
      <div>
        <p class="entry-head">
          <Reason decision={d()} />
          <Show when={!props.isIt}>
            <a class="about" href={subjectPath(d().subject)}>
              {d().subject.kind} {named(d().subject)}
            </a>
          </Show>
        </p>
        <p>
          <a href={path("decision", d().id)}>{d().sentence}</a>
        </p>
        <Show when={d().effect}>{(effect) => <p class="effect">{unbroken(effect().sentence)}</p>}</Show>
      </div>
    </li>
  );
}

function Sentence(props: { subject: Subject }) {
  const names = () => [named(props.subject.object), props.subject.object.name, props.subject.summary.node ?? ""];
  /** Of what is gone, the sentence is the reason already. */
  const isSaid = (why: string) => props.subject.sentence.includes(why.replace(/\.$/, ""));
  return (
    <>
      <p class="sentence">
        <Said sentence={`${props.subject.sentence.replace(/\.$/, "")}.`} names={names()} />
      </p>
      <Show when={props.subject.why}>
        {(why) => (
          <div class="why">
            <Show when={!isSaid(why().sentence)}>
              <h2>Why</h2>
              <p>{why().sentence}</p>
            </Show>
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
    </>
  );
}

function Facts(props: { subject: Subject; drawn: string[] }) {
  /** A node's bars say its resources and marks already; the names of its pods they do not say. */
  const isDrawn = (word: string, value: string) =>
    MARKS.includes(word) || (props.drawn.includes(word) && !value.includes("/"));
  const rows = () =>
    Object.entries(props.subject.summary).filter(
      ([word, value]) => value && !(props.drawn.length > 0 && isDrawn(word, value)),
    );
  return (
    <Show when={rows().length > 0}>
      <dl class="pairs wide-pairs">
        <For each={rows()}>
          {([word, value]) => (
            <div>
              <dt>{word}</dt>
              <dd>
                <ul>
                  <For each={pieces(props.subject.object, word, value)}>
                    {(item) => (
                      <li>
                        <For each={item}>
                          {(piece) => (
                            <Show when={piece.to} fallback={piece.text}>
                              {(to) => <a href={to()}>{piece.text}</a>}
                            </Show>
                          )}
                        </For>
                      </li>
                    )}
                  </For>
                </ul>
              </dd>
            </div>
          )}
        </For>
      </dl>
    </Show>
  );
}
