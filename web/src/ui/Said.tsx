// A sentence in which the names that appear in it are set as code.
import { For } from "solid-js";
import { split } from "./split";

export function Said(props: { sentence: string; names: readonly string[] }) {
  const names = () => new Set(props.names);
  return (
    <For each={split(props.sentence, props.names)}>{(part) => (names().has(part) ? <code>{part}</code> : part)}</For>
  );
}
