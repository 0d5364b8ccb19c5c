// A sentence in which the names that appear in it are set as code.
import { For } from "solid-js";

export function split(sentence: string, names: readonly string[]): string[] {
  const known = [...new Set(names.filter((name) => name.length > 2))].sort((a, b) => b.length - a.length);
  if (known.length === 0) return [sentence];
  const escaped = known.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return sentence.split(new RegExp(`(${escaped.join("|")})`)).filter(Boolean);
}

export function Said(props: { sentence: string; names: readonly string[] }) {
  const names = () => new Set(props.names);
  return (
    <For each={split(props.sentence, props.names)}>{(part) => (names().has(part) ? <code>{part}</code> : part)}</For>
  );
}
