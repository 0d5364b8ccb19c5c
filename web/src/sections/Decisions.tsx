// Every decision, newest first: filtered by the URL, current by the stream, older ones on demand.
import { useInfiniteQuery } from "@tanstack/solid-query";
import { createMemo, For, Match, Show, Switch } from "solid-js";
import { get } from "../api/client";
import type { Decision, DecisionPage } from "../api/types";
import { go, path, place } from "../live/router";
import { recent } from "../live/state";
import { named, subjectPath } from "../live/subject";
import { Age } from "../ui/Age";
import { Empty, Failure, Loading } from "../ui/Notice";
import { Reason } from "../ui/Reason";
import { FILTERS, type Filters, matches, read, write } from "./filters";

const PAGE = 50;
const CHOICES: Partial<Record<keyof Filters, string[]>> = {
  verb: ["Place", "Wait", "Refuse", "Compare", "Configure"],
  outcome: ["NoAction", "Would", "Pending", "Done", "Failed"],
  kind: ["Pod", "Node", "Platform"],
};

export function Decisions() {
  document.title = "Decisions · Keelson";
  const filters = createMemo(() => read(place().query));
  const list = useInfiniteQuery(() => ({
    queryKey: ["decisions", filters()],
    queryFn: ({ pageParam, signal }) =>
      get<DecisionPage>(
        `decisions${write(filters(), { limit: String(PAGE), ...(pageParam ? { before: pageParam } : {}) })}`,
        signal,
      ),
    initialPageParam: "",
    getNextPageParam: (page: DecisionPage) => page.next,
  }));
  // What the stream brought since is put on top; what it changed replaces what was read.
  const rows = createMemo((): Decision[] => {
    const read = list.data?.pages.flatMap((page) => page.decisions) ?? [];
    const live = recent().filter((decision) => matches(filters(), decision));
    const newest = new Map(live.map((decision) => [decision.id, decision]));
    const oldest = read.at(-1)?.at ?? 0;
    const known = new Set(read.map((decision) => decision.id));
    const fresh = live.filter((decision) => !known.has(decision.id) && decision.at >= oldest);
    return [...fresh, ...read.map((decision) => newest.get(decision.id) ?? decision)].sort((a, b) => b.at - a.at);
  });
  const partial = () => list.data?.pages.some((page) => page.partial);
  const change = (name: keyof Filters, value: string) =>
    go(`/decisions${write({ ...filters(), [name]: value })}`, true);

  return (
    <>
      <h1>
        Decisions
        <span class="sub">newest first, live</span>
        <a class="button export" href={`/api/v1/decisions/export${write(filters())}`} download="decisions.jsonl">
          Export
        </a>
      </h1>
      <form class="filters" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
        <For each={FILTERS.filter((name) => name !== "feature")}>
          {(name) => (
            <label>
              <span>{name === "q" ? "text" : name}</span>
              <Show
                when={CHOICES[name]}
                fallback={
                  <input
                    value={filters()[name] ?? ""}
                    maxlength={253}
                    onChange={(event) => change(name, event.currentTarget.value)}
                  />
                }
              >
                {(choices) => (
                  <select value={filters()[name] ?? ""} onChange={(event) => change(name, event.currentTarget.value)}>
                    <option value="">any</option>
                    <For each={choices()}>{(choice) => <option value={choice}>{choice}</option>}</For>
                  </select>
                )}
              </Show>
            </label>
          )}
        </For>
        <Show when={Object.keys(filters()).length > 0}>
          <button type="button" class="quiet" onClick={() => go("/decisions", true)}>
            Clear
          </button>
        </Show>
      </form>
      <Show when={partial()}>
        <p class="banner warn">The store does not answer: only what is in memory and in the journal is listed.</p>
      </Show>
      <Switch>
        <Match when={list.isPending}>
          <Loading lines={8} />
        </Match>
        <Match when={list.isError && rows().length === 0}>
          <Failure error={list.error} retry={() => void list.refetch()} />
        </Match>
        <Match when={rows().length === 0}>
          <Empty title="No decision matches">Change a filter, or clear them.</Empty>
        </Match>
        <Match when={rows().length > 0}>
          <Table rows={rows()} />
          <Show when={list.hasNextPage}>
            <p class="more">
              <button type="button" disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
                {list.isFetchingNextPage ? "Reading…" : "Older"}
              </button>
            </p>
          </Show>
        </Match>
      </Switch>
    </>
  );
}

export function Table(props: { rows: Decision[] }) {
  return (
    <div class="table">
      <table>
        <caption class="hidden">Decisions, newest first</caption>
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Subject</th>
            <th scope="col">Reason</th>
            <th scope="col">Decision</th>
          </tr>
        </thead>
        <tbody>
          <For each={props.rows}>
            {(decision) => (
              <tr>
                <td class="when">
                  <Age at={decision.last_at} />
                </td>
                <td>
                  <a href={subjectPath(decision.subject)}>
                    <small>{decision.subject.kind}</small> <code>{named(decision.subject)}</code>
                  </a>
                </td>
                <td>
                  <Reason decision={decision} />
                </td>
                <td class="wide">
                  <a href={path("decision", decision.id)}>{decision.sentence}</a>
                </td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
    </div>
  );
}
