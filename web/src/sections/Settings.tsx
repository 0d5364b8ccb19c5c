// The switches: what each feature may do, what a change would mean before it is made, and what the features tell one another.
import { createSignal, For, Show } from "solid-js";
import { ApiError, post } from "../api/client";
import type { FeatureView, Mode as Word } from "../api/types";
import { session, signOut } from "../live/session";
import { overview, readOnly } from "../live/state";
import { Mode } from "../ui/Mode";
import { Loading } from "../ui/Notice";
import { Confirm } from "./Confirm";
import { Facts } from "./Facts";

const MODES: Word[] = ["Off", "Observe", "Enforce"];
const MEANING: Record<Word, string> = {
  Off: "Stopped; what it installed on nodes is undone.",
  Observe: "Decides and explains; touches nothing.",
  Enforce: "Decides and acts.",
};

export function Settings() {
  document.title = "Settings · Keelson";
  return (
    <>
      <h1>
        Settings
        <span class="sub">one switch a feature</span>
      </h1>
      <Show when={readOnly()}>
        <p class="banner warn">
          {session()?.user
            ? "You may look and not switch: that needs a role that may patch platforms.keelson.dev."
            : "This page may only read. Use kubectl on the Platform object."}
        </p>
      </Show>
      <Show when={session()?.user}>
        {(user) => (
          <p class="row">
            <span>
              You are signed in as <b class="who">{user()}</b>.
            </span>
            <Show when={session()?.sign_in !== "proxy"}>
              <button type="button" onClick={() => void signOut()}>
                Sign out
              </button>
            </Show>
          </p>
        )}
      </Show>
      <Show when={overview.value} fallback={<Loading lines={5} />}>
        {(value) => (
          <>
            <For each={value().features}>{(feature) => <Switchboard feature={feature} />}</For>
            <Show when={value().facts.length > 0}>
              <Facts facts={value().facts} />
            </Show>
          </>
        )}
      </Show>
    </>
  );
}

function Switchboard(props: { feature: FeatureView }) {
  const [asked, setAsked] = createSignal<Word>();
  const [problem, setProblem] = createSignal("");
  const rank = (mode: Word) => MODES.indexOf(mode);
  const above = (mode: Word) => rank(mode) > rank(props.feature.ceiling);
  const pause = async () => {
    setProblem("");
    await post(`features/${props.feature.feature}/pause`, { paused: !props.feature.paused }).catch((error: unknown) =>
      setProblem(error instanceof ApiError ? `${error.message}. ${error.fix}` : String(error)),
    );
  };
  return (
    <section class="switchboard" aria-label={props.feature.title}>
      <header>
        <h2>{props.feature.title}</h2>
        <Mode mode={props.feature.mode} />
        <Show when={props.feature.wanted !== props.feature.mode}>
          <span class="quiet">{props.feature.wanted} is wanted</span>
        </Show>
      </header>
      <p>{props.feature.headline}</p>
      <fieldset class="choice" disabled={readOnly()}>
        <legend>Mode</legend>
        <For each={MODES}>
          {(mode) => (
            <label classList={{ on: props.feature.wanted === mode, above: above(mode) }}>
              <input
                type="radio"
                name={`mode-${props.feature.feature}`}
                checked={props.feature.wanted === mode}
                disabled={above(mode)}
                onClick={(event) => {
                  if (props.feature.wanted === mode) return;
                  event.preventDefault();
                  setAsked(mode);
                }}
              />
              <b>{mode}</b>
              <span>{MEANING[mode]}</span>
            </label>
          )}
        </For>
      </fieldset>
      <Show when={above("Enforce")}>
        <p class="hint">
          This installation grants no more than {props.feature.ceiling}. To grant more:{" "}
          <code>
            helm upgrade keelson keelson/keelson --reuse-values --set features.{props.feature.feature}.ceiling=Enforce
          </code>
        </p>
      </Show>
      <p class="row">
        <button type="button" disabled={readOnly()} aria-pressed={props.feature.paused} onClick={() => void pause()}>
          {props.feature.paused ? "Let actions go on" : "Pause all actions"}
        </button>
        <span class="quiet">
          {props.feature.paused ? "Paused: it keeps deciding and does nothing." : "It would keep deciding."}
        </span>
      </p>
      <Show when={props.feature.breaker}>
        {(why) => <p class="banner bad">The circuit breaker holds its actions: {why()}</p>}
      </Show>
      <Show when={problem()}>
        <p class="banner bad" role="alert">
          {problem()}
        </p>
      </Show>
      <details>
        <summary>Conditions and lease</summary>
        <dl class="pairs">
          <div>
            <dt>leads here</dt>
            <dd>
              {props.feature.leading ? "yes" : "no"}, fence {props.feature.fence}
            </dd>
          </div>
          <For each={props.feature.conditions}>
            {(condition) => (
              <div>
                <dt>
                  {condition.kind}: {condition.status}
                </dt>
                <dd>
                  {condition.reason}. {condition.message}
                </dd>
              </div>
            )}
          </For>
        </dl>
      </details>
      <Show when={asked()} keyed>
        {(mode) => <Confirm feature={props.feature} mode={mode} close={() => setAsked(undefined)} />}
      </Show>
    </section>
  );
}
