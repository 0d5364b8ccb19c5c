// The board of facts: what the features tell one another, and how old each of them is.
import { For, Show } from "solid-js";
import type { Fact } from "../api/types";
import { span } from "../ui/format";

export function Facts(props: { facts: Fact[] }) {
  return (
    <section class="of-subject" aria-labelledby="facts">
      <h2 id="facts">
        Facts <span>what the features tell one another; an old one counts less, or not at all</span>
      </h2>
      <div class="table">
        <table class="conditions">
          <thead>
            <tr>
              <th scope="col">Fact</th>
              <th scope="col">Heard</th>
              <th scope="col">What it says</th>
            </tr>
          </thead>
          <tbody>
            <For each={props.facts}>
              {(fact) => (
                <tr classList={{ off: fact.stale }}>
                  <th scope="row">{fact.name}</th>
                  <td data-label="heard">
                    {span(fact.age_us)} ago
                    <Show when={fact.stale}>
                      <small class="quiet"> old</small>
                    </Show>
                  </td>
                  <td data-label="says">{fact.detail}</td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </div>
    </section>
  );
}
