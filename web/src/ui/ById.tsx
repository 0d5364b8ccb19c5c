// A list whose rows stay where they are while what they say changes, and so does the focus of who reads by keyboard.
import { createMemo, For, type JSX, Show } from "solid-js";

export function ById<T extends { id: string }>(props: {
  each: readonly T[];
  children: (item: () => T) => JSX.Element;
}) {
  const ids = createMemo(() => props.each.map((item) => item.id));
  const items = createMemo(() => new Map(props.each.map((item) => [item.id, item])));
  return <For each={ids()}>{(id) => <Show when={items().get(id)}>{(item) => props.children(item)}</Show>}</For>;
}
