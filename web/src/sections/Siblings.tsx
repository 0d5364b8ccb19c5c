// Why a decision was made just then, and the other decisions of its plan: what was decided together is shown together.
import { useQuery } from "@tanstack/solid-query";
import { createMemo, For, Show } from "solid-js";
import { get } from "../api/client";
import type { Decision, DecisionPage } from "../api/types";
import { path } from "../live/router";
import { recent } from "../live/state";
import { named } from "../live/subject";
import { tone, word } from "../ui/tone";
import { because, brief } from "./facts";

const SHOWN = 8;

export function Siblings(props: { decision: Decision }) {
  // Decisions of one plan are made at one moment; the newest that were current then include them.
  const then = useQuery(() => ({
    queryKey: ["plan", props.decision.plan],
    queryFn: ({ signal }) =>
      get<DecisionPage>(`decisions?since=${props.decision.at}&until=${props.decision.at + 1}&limit=100`, signal),
    staleTime: Number.POSITIVE_INFINITY,
  }));
  const others = createMemo(() => {
    const all = [...(then.data?.decisions ?? []), ...recent()];
    const here = all.filter((one) => one.plan === props.decision.plan && one.id !== props.decision.id);
    return [...new Map(here.map((one) => [one.id, one])).values()];
  });
  return (
    <p class="steps together">
      <span class="quiet">
        Looked at by {props.decision.controller} because {because(props.decision.trigger, props.decision.subject)}
        <Show when={others().length > 0}>
          ; plan <code>{brief(props.decision.plan)}</code>, decided together with
        </Show>
      </span>
      <For each={others().slice(0, SHOWN)}>
        {(one) => (
          <a class={tone(one)} href={path("decision", one.id)}>
            {word(one)} {named(one.subject)}
          </a>
        )}
      </For>
      <Show when={others().length > SHOWN}>
        <span class="quiet">{others().length - SHOWN} more</span>
      </Show>
    </p>
  );
}
