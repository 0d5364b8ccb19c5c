// What stands below a list that goes on: how many more there are, or that older ones can be read.
import { Show } from "solid-js";
import { plural } from "./format";

export function More(props: { left: number; of: string; show(): void }) {
  return (
    <Show when={props.left > 0}>
      <p class="more">
        <button type="button" onClick={() => props.show()}>
          {plural(props.left, `more ${props.of}`)}
        </button>
      </p>
    </Show>
  );
}

/** A list as the query cache has it, page by page. */
type Paged = { readonly hasNextPage: boolean; readonly isFetchingNextPage: boolean; fetchNextPage(): unknown };

export function Older(props: { list: Paged }) {
  return (
    <Show when={props.list.hasNextPage}>
      <p class="more">
        <button type="button" disabled={props.list.isFetchingNextPage} onClick={() => void props.list.fetchNextPage()}>
          {props.list.isFetchingNextPage ? "Reading…" : "Older"}
        </button>
      </p>
    </Show>
  );
}
