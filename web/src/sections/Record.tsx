// A decision as it was recorded: what identifies it, to take elsewhere, and its JSON.
import { createSignal, Show } from "solid-js";
import type { Decision } from "../api/types";
import { path } from "../live/router";
import { exact } from "../ui/format";
import { because, brief } from "./facts";

/** Copies a text, and says whether it did. */
function copying() {
  const [said, setSaid] = createSignal("");
  const copy = (what: string, text: string) =>
    // A page that is not served securely has no clipboard.
    void (navigator.clipboard?.writeText(text) ?? Promise.reject(new Error("no clipboard"))).then(
      () => setSaid(`${what} copied`),
      () => setSaid(`Copying is not allowed here: ${text}`),
    );
  return { said, copy };
}

/** The trace, the JSON and the link, beside the title. */
export function Tools(props: { decision: Decision }) {
  const { said, copy } = copying();
  return (
    <p class="tools">
      <span role="status">{said()}</span>
      <Show when={props.decision.trace_id}>
        {(trace) => (
          <button type="button" class="quiet" onClick={() => copy("Trace id", trace())}>
            trace <code>{brief(trace())}</code>
            <span class="hidden">, copy it</span>
          </button>
        )}
      </Show>
      <a class="button quiet" href={`/api/v1/decisions/${props.decision.id}`}>
        JSON
      </a>
      <button
        type="button"
        class="quiet"
        onClick={() => copy("Link", location.origin + path("decision", props.decision.id))}
      >
        Permalink<span class="hidden">, copy it</span>
      </button>
    </p>
  );
}

export function Record(props: { decision: Decision }) {
  const { said, copy } = copying();
  const json = () => JSON.stringify(props.decision, null, 2);
  const rows = (): [string, string][] => [
    ["id", props.decision.id],
    ["plan", props.decision.plan],
    ["controller", `${props.decision.feature} / ${props.decision.controller}`],
    ["made because", because(props.decision.trigger, props.decision.subject)],
    ["decided", exact(props.decision.at)],
    ...(props.decision.count > 1
      ? ([["repeated", `${props.decision.count} times, last ${exact(props.decision.last_at)}`]] as [string, string][])
      : []),
    ["fence", String(props.decision.fence)],
    ...(props.decision.trace_id ? ([["trace", props.decision.trace_id]] as [string, string][]) : []),
  ];
  return (
    <details class="record">
      <summary>The record</summary>
      <dl class="pairs">
        {rows().map(([name, value]) => (
          <div>
            <dt>{name}</dt>
            <dd>
              <code>{value}</code>
            </dd>
          </div>
        ))}
      </dl>
      <p class="record-line">
        <button type="button" onClick={() => copy("JSON", json())}>
          Copy JSON
        </button>
        <span role="status">{said()}</span>
      </p>
      <pre tabindex={0} role="region" aria-label="JSON">
        {json()}
      </pre>
    </details>
  );
}
