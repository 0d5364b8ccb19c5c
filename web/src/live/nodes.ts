// The nodes, each with a signal of its own: a change of one redraws one, among two thousand too.
//
// Names keep the order in which they came, so that what is drawn for each stays where it is, and so does the focus.
import { batch, createSignal, type Signal, untrack } from "solid-js";
import type { NodesChange, NodeView } from "../api/types";

/** More changes at once than these are not watched one by one. */
const RUSH = 100;

/** How many names make a block: a browser repaints a block of cells, not each of its neighbours. */
const BLOCK = 64;

export class Nodes {
  #cells = new Map<string, Signal<NodeView>>();
  #blocks = new Map<string, number>();
  #came = 0;
  #known = createSignal(false);
  #changed = createSignal(0);
  #shaped = createSignal(0);
  #rush = createSignal(false);

  /** Whether they were heard at all: none and not known yet are two things. */
  known = (): boolean => this.#known[0]();

  /** Whether so many changed at once that to move each would be a flicker, and slow. */
  rush = (): boolean => this.#rush[0]();

  /** Their names. Changes when one comes, goes, or gets another zone or size; not when one fills. */
  names(): string[] {
    this.#shaped[0]();
    return [...this.#cells.keys()];
  }

  /** Their names in blocks, by when they came: none ever moves to another block. */
  blocks(): Map<number, string[]> {
    const blocks = new Map<number, string[]>();
    for (const name of this.names()) {
      const at = this.#blocks.get(name) ?? 0;
      const block = blocks.get(at);
      if (block) block.push(name);
      else blocks.set(at, [name]);
    }
    return blocks;
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
      for (const name of gone) {
        shaped = this.#cells.delete(name) || shaped;
        this.#blocks.delete(name);
      }
      for (const node of change.nodes) shaped = this.#put(node) || shaped;
      this.#known[1](true);
      this.#rush[1](change.nodes.length > RUSH);
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
      this.#blocks.set(node.name, Math.floor(this.#came++ / BLOCK));
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
