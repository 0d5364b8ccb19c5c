// The map as a table, for whoever reads rather than looks: made when it is asked for, a page of rows at a time, so that
// thousands of nodes cost nothing until then and little after.
import { createMemo, createSignal, For, Show } from "solid-js";
import type { NodeView } from "../api/types";
import { path } from "../live/router";
import { nodes } from "../live/state";
import { ofWhole, percent, plural } from "../ui/format";
import { state } from "./Cell";

const ROWS = 50;
const MOST = ["cpu", "memory"];
const WORDS = new Intl.Collator("en", { numeric: true });

export function MapTable() {
  const [open, setOpen] = createSignal(false);
  return (
    <details class="as-table" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>As a table</summary>
      <Show when={open()}>
        <Rows />
      </Show>
    </details>
  );
}

function Rows() {
  const [shown, setShown] = createSignal(ROWS);
  // By zone, then by name. A node that fills changes its own row.
  const names = createMemo(() => {
    const order = (a: NodeView, b: NodeView) => WORDS.compare(a.zone, b.zone) || WORDS.compare(a.name, b.name);
    return [...nodes.shapes()].sort(order).map((node) => node.name);
  });
  const left = () => names().length - shown();
  return (
    <>
      <div class="table" role="region" aria-label="Nodes" tabindex={0}>
        <table>
          <caption class="hidden">Nodes by zone, what limits each, and what is requested of it</caption>
          <thead>
            <tr>
              <th scope="col">Node</th>
              <th scope="col">Zone</th>
              <th scope="col">State</th>
              <th scope="col">Limited by</th>
              <For each={MOST}>{(name) => <th scope="col">{name} requested</th>}</For>
              <th scope="col" class="num">
                Pods
              </th>
            </tr>
          </thead>
          <tbody>
            <For each={names().slice(0, shown())}>
              {(name) => <Show when={nodes.get(name)}>{(node) => <Row node={node()} />}</Show>}
            </For>
          </tbody>
        </table>
      </div>
      <Show when={left() > 0}>
        <p class="more">
          <button type="button" onClick={() => setShown(shown() + ROWS)}>
            {plural(Math.min(ROWS, left()), "more node")} of {left().toLocaleString("en-GB")}
          </button>
        </p>
      </Show>
    </>
  );
}

function Row(props: { node: NodeView }) {
  const requested = (name: string) => {
    const found = props.node.resources.find((resource) => resource.name === name);
    return found ? ofWhole(name, found.requested, found.capacity) : "";
  };
  return (
    <tr>
      <th scope="row">
        <a href={path("subject", "Node", "-", props.node.name)}>
          <code>{props.node.name}</code>
        </a>
      </th>
      <td>{props.node.zone}</td>
      <td>{[props.node.ready && "ready", state(props.node)].filter(Boolean).join(", ")}</td>
      <td>
        {props.node.tightest.name} {percent(props.node.tightest.permille)}
      </td>
      <For each={MOST}>{(name) => <td>{requested(name)}</td>}</For>
      <td class="num">{props.node.pods}</td>
    </tr>
  );
}
