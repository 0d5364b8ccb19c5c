// Before a switch: what it would mean, from what happened in the last hour. Nothing can be confirmed that was not shown.
import { useQuery } from "@tanstack/solid-query";
import { createSignal, For, Match, onMount, Show, Switch } from "solid-js";
import { ApiError, get, post } from "../api/client";
import type { FeatureView, Mode, Preview } from "../api/types";
import { plural, within } from "../ui/format";
import { Failure, Loading } from "../ui/Notice";

export function Confirm(props: { feature: FeatureView; mode: Mode; close: () => void }) {
  let dialog: HTMLDialogElement | undefined;
  const [problem, setProblem] = createSignal("");
  const [busy, setBusy] = createSignal(false);
  onMount(() => dialog?.showModal());
  const preview = useQuery(() => ({
    queryKey: ["preview", props.feature.feature, props.mode],
    queryFn: ({ signal }) => get<Preview>(`features/${props.feature.feature}/preview?mode=${props.mode}`, signal),
    staleTime: 0,
    gcTime: 0,
  }));
  const confirm = async ({ confirm }: Preview) => {
    setBusy(true);
    setProblem("");
    try {
      await post(`features/${props.feature.feature}/mode`, { mode: props.mode, confirm });
      dialog?.close();
    } catch (error) {
      setProblem(error instanceof ApiError ? `${error.message}. ${error.fix}` : String(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <dialog ref={dialog} class="confirm" onClose={() => props.close()} aria-labelledby="confirm-title">
      <h2 id="confirm-title">
        {props.feature.title}: {props.feature.wanted} → {props.mode}
      </h2>
      <Switch>
        <Match when={preview.data}>{(data) => <Meaning preview={data()} />}</Match>
        <Match when={preview.isError}>
          <Failure error={preview.error} retry={() => void preview.refetch()} />
        </Match>
        <Match when={preview.isPending}>
          <Loading lines={5} />
        </Match>
      </Switch>
      <Show when={problem()}>
        <p class="banner bad" role="alert">
          {problem()}
        </p>
      </Show>
      <p class="row end">
        <button type="button" onClick={() => dialog?.close()}>
          Cancel
        </button>
        <button
          type="button"
          class="primary"
          disabled={busy() || !preview.data}
          onClick={() => preview.data && void confirm(preview.data)}
        >
          {busy() ? "Switching…" : `Switch to ${props.mode}`}
        </button>
      </p>
    </dialog>
  );
}

function Meaning(props: { preview: Preview }) {
  const actions = () => props.preview.actions;
  return (
    <>
      <p class="sentence">
        In the last {within(props.preview.window_us)}, {props.preview.to} would have taken{" "}
        <b>{actions() > 0 ? plural(actions(), "action") : "no action"}</b>.
      </p>
      <Show when={props.preview.waiting_for_us > 0}>
        <p class="hint">
          {plural(
            props.preview.waiting_for_us,
            "pod names Keelson as its scheduler and waits now",
            "pods name Keelson as their scheduler and wait now",
          )}
          .
        </p>
      </Show>
      <ul class="meaning">
        <For each={props.preview.would}>{(sentence) => <li>{sentence}</li>}</For>
      </ul>
      <div class="counts">
        <Counts title="Decisions by what they do" rows={props.preview.by_verb} />
        <Counts title="Decisions by reason" rows={props.preview.by_reason} />
      </div>
    </>
  );
}

function Counts(props: { title: string; rows: Preview["by_verb"] }) {
  return (
    <Show when={props.rows.length > 0}>
      <section>
        <h3>{props.title}</h3>
        <dl>
          <For each={props.rows}>
            {(row) => (
              <div>
                <dt>{row.word}</dt>
                <dd>{row.count.toLocaleString("en-GB")}</dd>
              </div>
            )}
          </For>
        </dl>
      </section>
    </Show>
  );
}
