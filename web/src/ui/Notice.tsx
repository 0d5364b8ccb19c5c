// What stands where data would: it is coming, there is none, or it could not be had.
import { For, type JSX, Show } from "solid-js";
import { ApiError } from "../api/client";

export function Loading(props: { lines?: number }) {
  return (
    <div class="loading" role="status" aria-label="Loading">
      <For each={Array.from({ length: props.lines ?? 3 })}>{() => <span class="bone" />}</For>
    </div>
  );
}

export function Empty(props: { title: string; children?: JSX.Element }) {
  return (
    <div class="empty">
      <svg width="44" height="44" viewBox="0 0 22 22" aria-hidden="true">
        <path d="M2 7c2 8 6 12 9 12s7-4 9-12M11 3v16M6 8v6.6M16 8v6.6" />
      </svg>
      <p class="empty-title">{props.title}</p>
      <Show when={props.children}>
        <p>{props.children}</p>
      </Show>
    </div>
  );
}

export function Failure(props: { error: unknown; retry?: () => void }) {
  const said = () => (props.error instanceof Error ? props.error.message : String(props.error));
  const fix = () => (props.error instanceof ApiError ? props.error.fix : "");
  return (
    <div class="failure" role="alert">
      <p class="empty-title">{said()}</p>
      <Show when={fix()}>
        <p>{fix()}</p>
      </Show>
      <Show when={props.retry}>
        <button type="button" onClick={() => props.retry?.()}>
          Try again
        </button>
      </Show>
    </div>
  );
}

/** What could not be had while something is shown all the same. */
export function Trouble(props: { what: string; error: unknown; retry: () => void }) {
  const said = () => (props.error instanceof Error ? props.error.message : String(props.error));
  const fix = () => (props.error instanceof ApiError ? props.error.fix : "");
  return (
    <p class="banner bad trouble" role="alert">
      <span>
        <b>{props.what}</b> {said()}. {fix()}
      </span>
      <button type="button" onClick={() => props.retry()}>
        Try again
      </button>
    </p>
  );
}
