// Before a switch: what it would mean, from what happened in the last hour.
import { useQuery } from "@tanstack/solid-query";
import { createSignal, For, Match, onMount, Show, Switch } from "solid-js";
import { ApiError, get, post } from "../api/client";
import type { FeatureView, Mode, Preview } from "../api/types";
import { plural, span } from "../ui/format";
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
  }));
  const confirm = async () => {
    setBusy(true);
    setProblem("");
    try {
      const words = preview.data?.confirm ?? `${props.mode} ${props.feature.feature}`;
      await post(`features/${props.feature.feature}/mode`, { mode: props.mode, confirm: words });
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
        <Match when={preview.isPending}>
          <Loading lines={4} />
        </Match>
        <Match when={preview.isError}>
          <Failure error={preview.error} retry={() => void preview.refetch()} />
        </Match>
        <Match when={preview.data}>{(data) => <Meaning preview={data()} />}</Match>
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
        <button type="button" class="primary" disabled={busy()} onClick={() => void confirm()}>
          {busy() ? "Switching…" : `Switch to ${props.mode}`}
        </button>
      </p>
    </dialog>
  );
}

function Meaning(props: { preview: Preview }) {
  const verb = () => (props.preview.to === "Enforce" ? "would have taken" : "takes");
  return (
    <>
      <p class="sentence">
        In the last {span(props.preview.window_us)}, {props.preview.to} {verb()}{" "}
        <b>{plural(props.preview.actions, "action")}</b>.
      </p>
      <Show when={props.preview.waiting_for_us > 0}>
        <p class="hint">
          {plural(props.preview.waiting_for_us, "pod")} name Keelson as their scheduler and wait for it.
        </p>
      </Show>
      <ul class="meaning">
        <For each={props.preview.would}>{(sentence) => <li>{sentence}</li>}</For>
      </ul>
      <dl class="figures">
        <For each={props.preview.by_reason}>
          {(row) => (
            <div>
              <dt>{row.word}</dt>
              <dd>{row.count}</dd>
            </div>
          )}
        </For>
      </dl>
    </>
  );
}
