// The nodes, each with a signal of its own: a change of one redraws one, among two thousand too.
//
// Names keep the order in which they came, so that what is drawn for each stays where it is, and so does the focus.
import { batch, createSignal, type Signal, untrack } from "solid-js";
import type { NodesChange, NodeView } from "../api/types";

export class Nodes {
  #cells = new Map<string, Signal<NodeView>>();
  #known = createSignal(false);
  #changed = createSignal(0);
  #shaped = createSignal(0);

  /** Whether they were heard at all: none and not known yet are two things. */
  known = (): boolean => this.#known[0]();

  /** Their names. Changes when one comes, goes, or gets another zone or size; not when one fills. */
  names(): string[] {
    this.#shaped[0]();
    return [...this.#cells.keys()];
  }

  /** One of them: whoever reads it hears of this one's changes only. */
  get = (name: string): NodeView | undefined => this.#cells.get(name)?.[0]();

  /** All of them, as of any change. */
  all(): NodeView[] {
    this.#changed[0]();
    return untrack(() => [...this.#cells.values()].map(([view]) => view()));
  }

  /** All of them, as of the last change of zones and sizes. */
  shapes(): NodeView[] {
    this.#shaped[0]();
    return untrack(() => [...this.#cells.values()].map(([view]) => view()));
  }

  hear(change: NodesChange): void {
    batch(() => {
      const gone = change.full ? this.#absent(change.nodes) : change.removed;
      let shaped = false;
      for (const name of gone) shaped = this.#cells.delete(name) || shaped;
      for (const node of change.nodes) shaped = this.#put(node) || shaped;
      this.#known[1](true);
      this.#changed[1]((count) => count + 1);
      if (shaped) this.#shaped[1]((count) => count + 1);
    });
  }

  #absent(nodes: readonly NodeView[]): string[] {
    const present = new Set(nodes.map((node) => node.name));
    return [...this.#cells.keys()].filter((name) => !present.has(name));
  }

  /** Whether the map has to be laid out anew. */
  #put(node: NodeView): boolean {
    const cell = this.#cells.get(node.name);
    if (!cell) {
      this.#cells.set(node.name, createSignal(node));
      return true;
    }
    const before = untrack(cell[0]);
    cell[1](node);
    return !sameShape(before, node);
  }
}

function sameShape(a: NodeView, b: NodeView): boolean {
  const capacity = (node: NodeView, name: string) => node.resources.find((r) => r.name === name)?.capacity;
  return a.zone === b.zone && ["cpu", "memory"].every((name) => capacity(a, name) === capacity(b, name));
}
