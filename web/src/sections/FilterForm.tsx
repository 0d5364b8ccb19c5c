// The filters as a form: what is chosen goes into the URL, and from there into the list.
import { createMemo, createSignal, For, Show } from "solid-js";
import { go } from "../live/router";
import { nodes, recent } from "../live/state";
import { CHOICES, type Filters, fromField, toField, write } from "./filters";

const LABELS = {
  reason: "reason",
  verb: "verb",
  outcome: "outcome",
  kind: "kind",
  namespace: "namespace",
  name: "name",
  q: "text",
} as const satisfies Partial<Record<keyof Filters, string>>;
const KINDS = ["Pod", "Node", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "Platform"];
/** How many names are offered; a browser draws them all at once. */
const OFFERED = 200;

export function FilterForm(props: { filters: Filters }) {
  const change = (name: keyof Filters, value: string) =>
    go(`/decisions${write({ ...props.filters, [name]: value })}`, true);
  // What the page has seen is offered while one types; anything else may be typed.
  const known = createMemo((): Partial<Record<keyof Filters, string[]>> => {
    const subjects = recent().map((decision) => decision.subject);
    const once = (words: string[]) => [...new Set(words)].filter(Boolean).sort().slice(0, OFFERED);
    return {
      kind: once([...KINDS, ...subjects.map((subject) => subject.kind)]),
      namespace: once(subjects.map((subject) => subject.namespace ?? "")),
      name: once([...nodes.names(), ...subjects.map((subject) => subject.name)]),
    };
  });
  const [open, setOpen] = createSignal(false);
  return (
    <form
      class="filters"
      classList={{ open: open() }}
      aria-label="Filters"
      onSubmit={(event) => event.preventDefault()}
    >
      <button type="button" class="fold" aria-expanded={open()} onClick={() => setOpen(!open())}>
        Filters
        <Show when={Object.keys(props.filters).length > 0}>
          <b>{Object.keys(props.filters).length}</b>
        </Show>
      </button>
      <For each={Object.entries(LABELS) as [keyof Filters, string][]}>
        {([name, label]) => (
          <label>
            <span>{label}</span>
            <Show
              when={CHOICES[name]}
              fallback={
                <input
                  value={props.filters[name] ?? ""}
                  list={known()[name] ? `known-${name}` : undefined}
                  maxlength={253}
                  autocomplete="off"
                  onChange={(event) => change(name, event.currentTarget.value)}
                />
              }
            >
              {(choices) => (
                <select value={props.filters[name] ?? ""} onChange={(event) => change(name, event.currentTarget.value)}>
                  <option value="">any</option>
                  <For each={choices()}>{(choice) => <option value={choice}>{choice}</option>}</For>
                  {/* What the URL asks for is shown, also when nobody can choose it. */}
                  <Show when={props.filters[name] && !choices().includes(props.filters[name] ?? "")}>
                    <option value={props.filters[name]}>{props.filters[name]}</option>
                  </Show>
                </select>
              )}
            </Show>
            <Show when={known()[name]}>
              {(words) => (
                <datalist id={`known-${name}`}>
                  <For each={words()}>{(word) => <option value={word} />}</For>
                </datalist>
              )}
            </Show>
          </label>
        )}
      </For>
      <span class="times-between">
        <For each={["since", "until"] as const}>
          {(name) => (
            <label class="time">
              <span>{name}, UTC</span>
              <input
                type="datetime-local"
                step="1"
                value={toField(props.filters[name])}
                onChange={(event) => change(name, fromField(event.currentTarget.value))}
              />
            </label>
          )}
        </For>
      </span>
      <Show when={Object.keys(props.filters).length > 0}>
        <button type="button" class="quiet clear" onClick={() => go("/decisions", true)}>
          Clear
        </button>
      </Show>
    </form>
  );
}
