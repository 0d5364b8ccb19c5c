// What stands where something is still being read, in the shape of what will come.
import { For } from "solid-js";

/** Rows of a list. */
export function Rows(props: { rows: number }) {
  return (
    <div class="table bones" role="status" aria-label="Loading">
      <For each={Array.from({ length: props.rows })}>
        {() => (
          <span class="bone-row">
            <span class="bone" />
            <span class="bone" />
            <span class="bone" />
          </span>
        )}
      </For>
    </div>
  );
}

/** A sentence, the facts below it, and a list. */
export function Story(props: { rows: number }) {
  return (
    <>
      <div class="bones" aria-hidden="true">
        <span class="bone tall" />
        <span class="bone tall" />
        <span class="bone-facts">
          <span class="bone" />
          <span class="bone" />
          <span class="bone" />
          <span class="bone" />
        </span>
      </div>
      <Rows rows={props.rows} />
    </>
  );
}
