// The chain of causes as a picture: what led here, this decision, and what it led to.
import { createMemo, For, Show } from "solid-js";
import type { Decision } from "../api/types";
import { path } from "../live/router";
import { named } from "../live/subject";
import { time } from "../ui/format";
import { tone } from "../ui/tone";

const MOST = 6;

export function Causes(props: { decision: Decision; causes: Decision[]; consequences: Decision[] }) {
  const before = createMemo(() => props.causes.filter((cause) => cause.id !== props.decision.id).slice(-MOST));
  const after = createMemo(() => props.consequences.filter((next) => next.id !== props.decision.id).slice(0, MOST));
  const hidden = () => Math.max(0, props.decision.cause_count - props.causes.length);
  return (
    <Show when={before().length + after().length > 0 || hidden() > 0}>
      <section class="causes" aria-label="Chain of causes">
        <ol>
          <Show when={hidden() > 0}>
            <li class="quiet">{hidden()} more</li>
          </Show>
          <For each={before()}>{(cause) => <Link decision={cause} />}</For>
          <Link decision={props.decision} here />
          <For each={after()}>{(next) => <Link decision={next} />}</For>
        </ol>
      </section>
    </Show>
  );
}

function Link(props: { decision: Decision; here?: boolean }) {
  return (
    <li class={tone(props.decision)} classList={{ here: props.here === true }}>
      <svg class="join" width="28" height="12" viewBox="0 0 28 12" aria-hidden="true">
        <path d="M0 6H24M19 1.5L24.5 6L19 10.5" />
      </svg>
      <a href={path("decision", props.decision.id)} aria-current={props.here ? "page" : undefined}>
        <b>{props.decision.reason}</b>
        <span>
          {props.decision.subject.kind} {named(props.decision.subject)}
        </span>
        <small>{time(props.decision.at)}</small>
      </a>
    </li>
  );
}
