// The keys, on one card.
import { For, onMount } from "solid-js";
import { setSingleKeys, singleKeys } from "./keys";

const KEYS = [
  ["/", "search: pod shop/cart-0, node node-a1, a decision's id"],
  ["g n", "Now"],
  ["g d", "Decisions"],
  ["g c", "Scheduling"],
  ["g s", "Settings"],
  ["← ↑ → ↓", "move between nodes of the map"],
  ["Enter", "open what has the focus"],
  ["Esc", "close, or leave the search"],
] as const;

export function Shortcuts(props: { close: () => void }) {
  let dialog: HTMLDialogElement | undefined;
  onMount(() => dialog?.showModal());
  return (
    <dialog ref={dialog} onClose={() => props.close()} aria-labelledby="shortcuts">
      <h2 id="shortcuts">Shortcuts</h2>
      <dl class="keys">
        <For each={KEYS}>
          {([keys, what]) => (
            <div>
              <dt>
                <kbd>{keys}</kbd>
              </dt>
              <dd>{what}</dd>
            </div>
          )}
        </For>
      </dl>
      <label class="single-keys">
        <input
          type="checkbox"
          checked={singleKeys()}
          onChange={(event) => setSingleKeys(event.currentTarget.checked)}
        />
        <span>
          Keys without Ctrl or Alt
          <small>Turn them off when you dictate, or when keys are pressed by accident.</small>
        </span>
      </label>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}
