// What Keelson would have chosen beside what another scheduler chose, over time.
import { useInfiniteQuery } from "@tanstack/solid-query";
import { createEffect, createMemo, createSignal, For, on, Show } from "solid-js";
import { get } from "../../api/client";
import type { Decision, DecisionPage } from "../../api/types";
import { path } from "../../live/router";
import { overview, recent } from "../../live/state";
import { named } from "../../live/subject";
import { Age } from "../../ui/Age";
import { Answered } from "../../ui/Answered";
import { percent, plural, weekday } from "../../ui/format";
import { Empty } from "../../ui/Notice";
import { Reason } from "../../ui/Reason";
import { now } from "../../ui/Tick";
import { KEYS } from "../fresh";
import { together } from "../together";
import { columns, series } from "./compared";

const HOUR = 3_600_000_000;
const WINDOWS = [
  ["hour", HOUR],
  ["day", 24 * HOUR],
] as const;
const PAGE = 250;
/** How many pages of a window are read: so many comparisons tell how it goes. */
const PAGES = 4;
const LAST = 4;
const [WIDTH, HEIGHT] = [600, 96];

export function Compared() {
  const [span, setSpan] = createSignal<number>(HOUR);
  // A window begins anew when it is chosen; what happens later is laid on top.
  const since = createMemo(on([span, () => overview.value !== undefined], ([span]) => Math.floor(now() - span)));
  const list = useInfiniteQuery(() => ({
    queryKey: [KEYS.list, "compared", since()],
    queryFn: ({ pageParam, signal }) => read(since(), pageParam, signal),
    initialPageParam: "",
    getNextPageParam: (page: DecisionPage, all: DecisionPage[]) => (all.length < PAGES ? page.next : undefined),
    enabled: overview.value !== undefined,
  }));
  createEffect(() => list.hasNextPage && !list.isFetchingNextPage && !list.isError && void list.fetchNextPage());
  const all = createMemo(() =>
    together(
      list.data?.pages ?? [],
      recent().filter((decision) => decision.verb === "Compare"),
    ),
  );
  const told = createMemo(() => series(all(), now(), span()));
  const count = () => told().same + told().other;
  /** From when on it was read, when not all of the window was. */
  const from = () => (list.data?.pages.at(-1)?.next ? all().at(-1)?.at : undefined);
  return (
    <section aria-labelledby="compared">
      <h2 id="compared">
        Beside other schedulers
        <span class="windows" role="group" aria-label="Window">
          <For each={WINDOWS}>
            {([name, length]) => (
              <button type="button" class="quiet" aria-pressed={span() === length} onClick={() => setSpan(length)}>
                {name}
              </button>
            )}
          </For>
        </span>
      </h2>
      <Answered
        asked={list}
        there={count() > 0}
        none={
          <Empty title={`Nothing compared in the last ${span() === HOUR ? "hour" : "day"}`}>
            When another scheduler binds a pod, what Keelson would have chosen appears here, in Observe and in Enforce.
          </Empty>
        }
        rows={4}
        earlier="Not all could be read:"
      >
        {() => (
          <div class="compared">
            <p class="compared-say">
              <b>{percent((1_000 * told().other) / count())}</b> of {plural(count(), "choice")} of other schedulers in
              the last {span() === HOUR ? "hour" : "day"} would have been another.
              <Show when={told().difference > 0}>
                {" "}
                Keelson's choices score <b>{told().difference.toLocaleString("en-GB")}</b> more in sum.
              </Show>
              <Show when={told().forbidden > 0}>
                {" "}
                {plural(told().forbidden, "pod went", "pods went")} where Keelson would have put none.
              </Show>
              <Show when={from()}>{(from) => <span class="quiet"> Counted since {weekday(from())}.</span>}</Show>
            </p>
            <Chart told={told()} span={span()} />
            <Last decisions={all()} />
          </div>
        )}
      </Answered>
    </section>
  );
}

function read(since: number, before: string, signal: AbortSignal): Promise<DecisionPage> {
  const query = { verb: "Compare", since: String(since), limit: String(PAGE), ...(before ? { before } : {}) };
  return get<DecisionPage>(`decisions?${new URLSearchParams(query)}`, signal);
}

function Chart(props: { told: ReturnType<typeof series>; span: number }) {
  const bars = createMemo(() => columns(props.told, WIDTH, HEIGHT));
  const label = () =>
    `${props.told.same} the same choice, ${props.told.other} another; at most ${props.told.most} a bar`;
  return (
    <>
      <svg
        class="compared-chart"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={label()}
      >
        <For each={bars()}>
          {(bar) => (
            <>
              <rect class="same" x={bar.x} width={bar.width} y={bar.same[0]} height={bar.same[1]} />
              <rect class="other" x={bar.x} width={bar.width} y={bar.other[0]} height={bar.other[1]} />
            </>
          )}
        </For>
      </svg>
      <div class="legend">
        <span>
          <i class="same" />
          the same choice <b>{props.told.same.toLocaleString("en-GB")}</b>
        </span>
        <span>
          <i class="other" />
          another <b>{props.told.other.toLocaleString("en-GB")}</b>
        </span>
        <span class="legend-note">
          a bar: {props.span === HOUR ? "2 min" : "48 min"} · at most {props.told.most}
        </span>
      </div>
    </>
  );
}

function Last(props: { decisions: Decision[] }) {
  const last = () => props.decisions.filter((decision) => decision.reason === "OtherChoice").slice(0, LAST);
  return (
    <Show when={last().length > 0}>
      <ul class="lasts">
        <For each={last()}>
          {(decision) => (
            <li>
              <p class="entry-head">
                <Reason decision={decision} />
                <code>{named(decision.subject)}</code>
                <span class="when">
                  <Age at={decision.last_at} />
                </span>
              </p>
              <a href={path("decision", decision.id)}>{decision.sentence}</a>
            </li>
          )}
        </For>
      </ul>
      <p class="foot">
        <a class="button quiet" href="/decisions?reason=OtherChoice">
          All other choices
        </a>
      </p>
    </Show>
  );
}
