// Decisions that belong together, told in one sentence and a row of steps.
import { For, Show } from "solid-js";
import type { Chain } from "../live/chains";
import { path } from "../live/router";
import { named, subjectPath } from "../live/subject";
import { Age } from "../ui/Age";
import { Said } from "../ui/Said";
import { tone, word } from "../ui/tone";

const STEPS = 5;

export function ChainCard(props: { chain: Chain }) {
  const last = () => props.chain.decisions.at(-1);
  const steps = () => props.chain.decisions.slice(-STEPS);
  const before = () => props.chain.decisions.length - steps().length;
  return (
    <Show when={last()}>
      {(decision) => (
        <article class="chain">
          <span class="when">
            <Age at={props.chain.at} />
          </span>
          <p class="say">
            <a href={path("decision", decision().id)}>
              <Said
                sentence={decision().sentence}
                names={[named(decision().subject), decision().subject.name, decision().chosen ?? ""]}
              />
            </a>
          </p>
          <p class="steps">
            <Show when={before() > 0}>
              <span class="quiet">{before()} before</span>
            </Show>
            <For each={steps()}>
              {(step) => (
                <a class={tone(step)} href={path("decision", step.id)}>
                  {word(step)}
                  {step.count > 1 ? ` ×${step.count}` : ""}
                </a>
              )}
            </For>
            <a class="about" href={subjectPath(decision().subject)}>
              {decision().subject.kind} {decision().subject.name}
            </a>
          </p>
        </article>
      )}
    </Show>
  );
}
