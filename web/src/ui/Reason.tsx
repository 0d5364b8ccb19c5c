// A decision's reason as a small mark: a dot in the colour of how it ended, and the word.
import { Show } from "solid-js";
import type { Decision } from "../api/types";
import { tone, word } from "./tone";

export function Reason(props: { decision: Decision }) {
  return (
    <span class={`reason ${tone(props.decision)}`}>
      {word(props.decision)}
      <Show when={props.decision.count > 1}>
        <span class="times"> ×{props.decision.count}</span>
      </Show>
    </span>
  );
}
