// Decisions that belong together: whose they are, one sentence, a row of steps, and, of many alike, each on demand.
import { createMemo, createSignal, createUniqueId, For, Show } from "solid-js";
import { type Alike, steps } from "../live/alike";
import type { Chain } from "../live/chains";
import { path } from "../live/router";
import { named, subjectPath } from "../live/subject";
import { Age } from "../ui/Age";
import { plural } from "../ui/format";
import { Said } from "../ui/Said";
import { tone, word } from "../ui/tone";

/** More steps than these are told as a number. */
const STEPS = 4;

const last = (chain: Chain | undefined) => chain?.decisions.at(-1);

export function ChainCard(props: { group: Alike }) {
  const [open, setOpen] = createSignal(false);
  const id = createUniqueId();
  const newest = () => last(props.group.chains[0]);
  const many = () => props.group.chains.length > 1;
  const told = createMemo(() => steps(props.group));
  const shown = () => told().slice(-STEPS);
  return (
    <Show when={newest()}>
      {(decision) => (
        <article class="chain">
          <p class="whose">
            <Show
              when={many()}
              fallback={
                <a href={subjectPath(decision().subject)}>
                  {props.group.owner}
                  <span>{decision().subject.name.slice(props.group.owner.length)}</span>
                </a>
              }
            >
              <b>{props.group.owner}</b>
              <small>{plural(props.group.chains.length, decision().subject.kind.toLowerCase())}</small>
            </Show>
            <Age at={props.group.at} />
          </p>
          <p class="say">
            <a href={path("decision", decision().id)}>
              <Said
                sentence={decision().sentence}
                names={[named(decision().subject), decision().subject.name, decision().chosen ?? ""]}
              />
            </a>
          </p>
          <p class="steps">
            <Show when={told().length > STEPS}>
              <span class="quiet">{told().length - STEPS} before</span>
            </Show>
            <For each={shown()}>
              {(step) => (
                <a class={tone(step.decision)} href={path("decision", step.decision.id)}>
                  {word(step.decision)}
                  {step.count > 1 ? ` ×${step.count}` : ""}
                </a>
              )}
            </For>
            <Show when={many()}>
              <button
                type="button"
                class="quiet unfold"
                aria-expanded={open()}
                aria-controls={id}
                onClick={() => setOpen(!open())}
              >
                {open() ? "fewer" : `all ${props.group.chains.length}`}
              </button>
            </Show>
          </p>
          <ul id={id} class="each" hidden={!open()}>
            <Show when={open()}>
              <For each={props.group.chains}>{(chain) => <Each chain={chain} />}</For>
            </Show>
          </ul>
        </article>
      )}
    </Show>
  );
}

function Each(props: { chain: Chain }) {
  return (
    <Show when={last(props.chain)}>
      {(decision) => (
        <li>
          <a href={path("decision", decision().id)}>
            <code>{decision().subject.name}</code>
          </a>
          <span>{decision().chosen}</span>
          <Age at={props.chain.at} />
        </li>
      )}
    </Show>
  );
}
