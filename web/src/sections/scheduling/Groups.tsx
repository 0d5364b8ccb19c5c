// AppGroups as they are placed: each over zones and nodes, with what its edges cost.
import { useQuery } from "@tanstack/solid-query";
import { createMemo, createSignal, For, onCleanup, onMount, Show } from "solid-js";
import { path } from "../../live/router";
import { subjectPath } from "../../live/subject";
import { Answered } from "../../ui/Answered";
import { plural } from "../../ui/format";
import { Empty } from "../../ui/Notice";
import { type Group, groups, placedTogether, proposal } from "./answers";
import { GroupView } from "./GroupView";

const EVERY = 10_000;
/** What would be better is worked out anew each time, and changes seldom. */
const SELDOM = 60_000;

export const APP_GROUP = { kind: "AppGroup", group: "appgroup.diktyo.x-k8s.io" } as const;
const key = ({ namespace, name }: Group): string => `${namespace}/${name}`;

/** What would be better, asked for while it is looked at. */
export function useProposal(of: () => { namespace: string; name: string }, looked: () => boolean) {
  return useQuery(() => ({
    queryKey: ["scheduling-proposal", of().namespace, of().name],
    queryFn: () => proposal(of()),
    enabled: looked(),
    staleTime: SELDOM / 2,
    refetchInterval: SELDOM,
  }));
}

export function Groups() {
  const asked = useQuery(() => ({
    queryKey: ["scheduling-groups"],
    queryFn: groups,
    refetchInterval: EVERY,
  }));
  const keys = createMemo(() => (asked.data ?? []).map(key));
  return (
    <section aria-labelledby="groups">
      <h2 id="groups">
        AppGroups <span>what depends on what, and what the network costs them</span>
      </h2>
      <Answered
        asked={asked}
        there={keys().length > 0}
        none={
          <Empty title="No AppGroup">
            Apply one, and label its pods with <code>appgroup.diktyo.x-k8s.io</code> (docs/guide.md): it appears here
            over zones and nodes, with the cost of each edge.
          </Empty>
        }
        refusal={{ title: "You may not see AppGroups", role: "That needs a role that may list pods." }}
        rows={5}
      >
        {() => (
          <For each={keys()}>
            {(name) => (
              <Show when={asked.data?.find((group) => key(group) === name)}>
                {(group) => <OneGroup group={group()} />}
              </Show>
            )}
          </For>
        )}
      </Answered>
    </section>
  );
}

function OneGroup(props: { group: Group }) {
  let article: HTMLElement | undefined;
  const [looked, setLooked] = createSignal(false);
  onMount(() => {
    const watch = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && setLooked(true), {
      rootMargin: "300px",
    });
    if (article) watch.observe(article);
    onCleanup(() => watch.disconnect());
  });
  const better = useProposal(() => props.group, looked);
  const pods = () => props.group.workloads.reduce((sum, workload) => sum + workload.pods.length, 0);
  return (
    <article ref={article} class="group" aria-label={key(props.group)}>
      <header class="group-head">
        <h3>
          <a href={subjectPath({ ...APP_GROUP, namespace: props.group.namespace, name: props.group.name })}>
            <code>{key(props.group)}</code>
          </a>
        </h3>
        <small>
          {plural(props.group.workloads.length, "workload")} · {plural(pods(), "pod")} placed
        </small>
        <GroupCost group={props.group} />
      </header>
      <GroupView group={props.group} proposal={better.data} />
    </article>
  );
}

/** What it costs now, and what it would have without being placed as a unit. */
export function GroupCost(props: { group: Group }) {
  const placed = useQuery(() => ({
    queryKey: ["scheduling-placed", key(props.group)],
    queryFn: async () => (await placedTogether(props.group)) ?? null,
    staleTime: 30_000,
  }));
  const then = () => placed.data?.inputs?.["network cost"];
  const alone = () => placed.data?.inputs?.["one after the other"];
  return (
    <p class="group-cost">
      {plural(props.group.edges.length, "edge")} {props.group.edges.length === 1 ? "costs" : "cost"}{" "}
      <b>{props.group.cost.toLocaleString("en-GB")}</b>
      <Show when={then() ? placed.data : undefined} fallback=".">
        {(decision) => (
          <>
            ; <a href={path("decision", decision().id)}>placed as a unit</a> they cost {then()}
            <Show when={alone()}>
              {(cost) =>
                cost() === then() ? ", as they would one after the other" : `, one after the other it was ${cost()}`
              }
            </Show>
            .
          </>
        )}
      </Show>
    </p>
  );
}
