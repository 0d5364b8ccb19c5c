// Every decision, newest first: filtered by the URL, current by the stream, older ones on demand.
import { useInfiniteQuery } from "@tanstack/solid-query";
import { createMemo, Show } from "solid-js";
import { get } from "../api/client";
import type { Decision, DecisionPage } from "../api/types";
import { go, path, place } from "../live/router";
import { recent } from "../live/state";
import { named, subjectPath } from "../live/subject";
import { Age } from "../ui/Age";
import { Answered } from "../ui/Answered";
import { ById } from "../ui/ById";
import { Older } from "../ui/More";
import { Empty } from "../ui/Notice";
import { Reason } from "../ui/Reason";
import { FilterForm } from "./FilterForm";
import { type Filters, matches, read, write } from "./filters";
import { KEYS } from "./fresh";
import { together } from "./together";

const PAGE = 50;

export function Decisions() {
  document.title = "Decisions · Keelson";
  const filters = createMemo(() => read(place().query));
  const list = useInfiniteQuery(() => ({
    queryKey: [KEYS.list, filters()],
    queryFn: ({ pageParam, signal }) =>
      get<DecisionPage>(
        `decisions${write(filters(), { limit: String(PAGE), ...(pageParam ? { before: pageParam } : {}) })}`,
        signal,
      ),
    initialPageParam: "",
    getNextPageParam: (page: DecisionPage) => page.next,
  }));
  const rows = createMemo(() =>
    together(
      list.data?.pages ?? [],
      recent().filter((decision) => matches(filters(), decision)),
    ),
  );
  const partial = () => list.data?.pages.some((page) => page.partial);

  return (
    <>
      <h1>
        Decisions
        <span class="sub">newest first, live</span>
        <a class="button export" href={`/api/v1/decisions/export${write(filters())}`} download="decisions.jsonl">
          Export
        </a>
      </h1>
      <FilterForm filters={filters()} />
      <Show when={partial()}>
        <p class="banner warn">The store does not answer: only what is in memory and in the journal is listed.</p>
      </Show>
      <Answered
        asked={list}
        there={rows().length > 0}
        none={<None filters={filters()} />}
        rows={9}
        earlier={list.isFetchNextPageError ? "Older ones could not be read:" : "Only what is live is listed:"}
        retry={() => (list.isFetchNextPageError ? list.fetchNextPage() : list.refetch())}
      >
        {() => (
          <>
            <Table rows={rows()} />
            <Older list={list} />
          </>
        )}
      </Answered>
    </>
  );
}

function None(props: { filters: Filters }) {
  return (
    <Show
      when={Object.keys(props.filters).length > 0}
      fallback={<Empty title="Nothing decided yet">The first pod that needs a node appears here.</Empty>}
    >
      <Empty title="No decision matches">
        <Show when={props.filters.name} fallback="Change a filter, or clear them.">
          {(name) => (
            <>
              No name is exactly that.{" "}
              <button type="button" onClick={() => go(`/decisions?q=${encodeURIComponent(name())}`)}>
                Look for {name()} in every text
              </button>
            </>
          )}
        </Show>
      </Empty>
    </Show>
  );
}

function Table(props: { rows: Decision[] }) {
  return (
    <div class="table stacked">
      <table class="decisions">
        <caption class="hidden">Decisions, newest first</caption>
        <thead>
          <tr>
            <th scope="col">Decided</th>
            <th scope="col">Subject</th>
            <th scope="col">Reason</th>
            <th scope="col">Decision</th>
          </tr>
        </thead>
        <tbody>
          <ById each={props.rows}>
            {(decision) => (
              <tr>
                <td class="when">
                  <Age at={decision().at} />
                  <Show when={decision().count > 1}>
                    <small>
                      {" "}
                      again <Age at={decision().last_at} />
                    </small>
                  </Show>
                </td>
                <td class="subject">
                  <a href={subjectPath(decision().subject)}>
                    <small>{decision().subject.kind}</small> <code>{named(decision().subject)}</code>
                  </a>
                </td>
                <td>
                  <Reason decision={decision()} />
                </td>
                <td class="wide">
                  <a href={path("decision", decision().id)}>{decision().sentence}</a>
                </td>
              </tr>
            )}
          </ById>
        </tbody>
      </table>
    </div>
  );
}
