// Where a pod like this would go: a manifest, from an existing pod or from nothing, changed in a form or as JSON, and
// what would be decided about it. Nothing in the cluster changes.
import { createEffect, createMemo, createSignal, For, Match, on, Show, Switch } from "solid-js";
import type { WhatIf } from "../../api/types";
import { place } from "../../live/router";
import { recent } from "../../live/state";
import { named } from "../../live/subject";
import { Failure } from "../../ui/Notice";
import { Reason } from "../../ui/Reason";
import { Said } from "../../ui/Said";
import { Candidates } from "../Candidates";
import { type Manifest, manifest, whatIf } from "./answers";
import { applied, blank, FIELDS, type Field, type Form, form, ofContainer, type Problems, parsed } from "./manifest";
import { apart } from "./pending";

const LABELS: Record<Field, [label: string, example: string]> = {
  cpu: ["cpu", "500m"],
  memory: ["memory", "512Mi"],
  priority: ["priority", "0"],
  appGroup: ["AppGroup", "online-boutique"],
  workload: ["workload in it", "cartservice"],
  labels: ["labels", "app=cart, tier=web"],
  nodeSelector: ["node selector", "disk=ssd"],
  tolerations: ["tolerations", "spot=true:NoSchedule"],
};
const ORDER: Field[] = ["cpu", "memory", "priority", "appGroup", "workload", "labels", "nodeSelector", "tolerations"];
const OFFERED = 100;

const json = (pod: Manifest): string => JSON.stringify(pod, undefined, 2);

export function WhatIfBox() {
  let box: HTMLElement | undefined;
  const [pod, setPod] = createSignal<Manifest>(blank());
  const [like, setLike] = createSignal("");
  // What is being typed stays as it is typed, also where the manifest says the same in other words.
  const [typed, setTyped] = createSignal<Partial<Form> & { json?: string }>({});
  const [problems, setProblems] = createSignal<Problems>({});
  const [unread, setUnread] = createSignal("");
  const [busy, setBusy] = createSignal(false);
  // What is typed before the pod is there would be lost.
  const [filling, setFilling] = createSignal(false);
  const [answer, setAnswer] = createSignal<WhatIf>();
  const [failed, setFailed] = createSignal<unknown>();
  const fields = createMemo(() => form(pod()));
  const known = createMemo(() => {
    const names = recent().flatMap(({ subject }) => (subject.kind === "Pod" ? [named(subject)] : []));
    return [...new Set(names)].sort().slice(0, OFFERED);
  });

  const begin = (pod: Manifest) => {
    setPod(pod);
    setTyped({});
    setProblems({});
    setUnread("");
    setAnswer(undefined);
  };
  const attempt = async (what: () => Promise<void>) => {
    setBusy(true);
    setFailed(undefined);
    await what().catch(setFailed);
    setBusy(false);
  };
  const fill = async (name: string) => {
    setFilling(true);
    await attempt(async () => {
      const [namespace = "", pod = ""] = name.trim().split("/");
      begin(await manifest(namespace, pod));
    });
    setFilling(false);
  };
  const ask = (event: SubmitEvent) => {
    event.preventDefault();
    if (unread() || Object.keys(problems()).length > 0) return;
    void attempt(async () => {
      setAnswer(await whatIf(pod()));
    });
  };
  const change = (field: Field, value: string) => {
    const { json: _json, ...fieldsTyped } = typed();
    setTyped({ ...fieldsTyped, [field]: value });
    setUnread("");
    const next = applied(pod(), { ...fields(), [field]: value });
    const { [field]: problem } = next.problems;
    const { [field]: _, ...others } = problems();
    setProblems(problem ? { ...others, [field]: problem } : others);
    if (!problem) setPod(next.pod);
  };
  const type = (json: string) => {
    setTyped({ json });
    setProblems({});
    const read = parsed(json);
    setUnread("problem" in read ? read.problem : "");
    if ("pod" in read) setPod(read.pod);
  };
  const wanted = createMemo(() => (place().section === "scheduling" ? (place().query.get("pod") ?? "") : ""));
  createEffect(
    on(wanted, (name) => {
      if (!name) return;
      setLike(name);
      void fill(name).then(() => box?.scrollIntoView());
    }),
  );

  return (
    <section ref={box} aria-labelledby="what-if">
      <h2 id="what-if">
        What if <span>where a pod like this would go; nothing is changed</span>
      </h2>
      <div class="what-if">
        <form
          class="like"
          aria-label="Start from a pod"
          onSubmit={(event) => {
            event.preventDefault();
            if (like().includes("/")) void fill(like());
          }}
        >
          <label>
            <span>like pod</span>
            <input
              value={like()}
              list="known-pods"
              placeholder="shop/cart-0"
              maxlength={300}
              autocomplete="off"
              pattern="[^\/\s]+\/[^\/\s]+"
              title="namespace/name"
              required
              onInput={(event) => setLike(event.currentTarget.value)}
            />
          </label>
          <button type="submit" disabled={busy()}>
            Fill in
          </button>
          <datalist id="known-pods">
            <For each={known()}>{(name) => <option value={name} />}</For>
          </datalist>
        </form>
        <form class="manifest" aria-label="The pod" onSubmit={ask}>
          <For each={ORDER}>
            {(field) => (
              <label classList={{ broad: FIELDS.indexOf(field) > 1 && LABELS[field][1].includes("=") }}>
                <span>
                  {LABELS[field][0]}
                  <Show when={(field === "cpu" || field === "memory") && ofContainer(pod())}>
                    {(container) => <> of {container()}</>}
                  </Show>
                </span>
                <input
                  value={typed()[field] ?? fields()[field]}
                  placeholder={LABELS[field][1]}
                  autocomplete="off"
                  spellcheck={false}
                  maxlength={4_000}
                  disabled={filling()}
                  aria-invalid={problems()[field] ? "true" : undefined}
                  aria-describedby={problems()[field] ? `problem-${field}` : undefined}
                  onInput={(event) => change(field, event.currentTarget.value)}
                />
                <Show when={problems()[field]}>
                  {(problem) => (
                    <small class="problem" id={`problem-${field}`} role="alert">
                      {problem()}
                    </small>
                  )}
                </Show>
              </label>
            )}
          </For>
          <details>
            <summary>The whole manifest, as JSON</summary>
            <label class="hidden" for="manifest">
              Manifest as JSON
            </label>
            <textarea
              id="manifest"
              rows={14}
              spellcheck={false}
              maxlength={60_000}
              disabled={filling()}
              value={typed().json ?? json(pod())}
              aria-invalid={unread() ? "true" : undefined}
              aria-describedby={unread() ? "problem-manifest" : undefined}
              onInput={(event) => type(event.currentTarget.value)}
            />
            <Show when={unread()}>
              <small class="problem" id="problem-manifest" role="alert">
                {unread()}
              </small>
            </Show>
          </details>
          <p class="row asks">
            <button type="submit" class="primary" disabled={busy()}>
              {busy() ? "Asking…" : "Where would it go?"}
            </button>
            <button type="button" class="quiet" onClick={() => begin(blank())}>
              Begin anew
            </button>
          </p>
        </form>
      </div>
      <div class="answer" aria-live="polite">
        <Switch>
          <Match when={failed()}>{(error) => <Failure error={error()} />}</Match>
          <Match when={answer()} keyed>
            {(told) => <Told told={told} />}
          </Match>
        </Switch>
      </div>
    </section>
  );
}

function Told(props: { told: WhatIf }) {
  const names = () => (props.told.decision.candidates ?? []).map((candidate) => candidate.name);
  return (
    <>
      <p class="answer-head">
        <Reason decision={props.told.decision} />
      </p>
      <p class="sentence">
        <Said
          sentence={apart(props.told.sentence, props.told.change)}
          names={[...names(), props.told.decision.chosen ?? ""]}
        />
      </p>
      <Show when={props.told.change}>
        {(change) => (
          <p class="hint">
            {change()}. <small>Checked by deciding again.</small>
          </p>
        )}
      </Show>
      <Candidates decision={props.told.decision} />
    </>
  );
}
