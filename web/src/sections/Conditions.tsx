// What Keelson wrote on an object: whether all of it counts, and each kind of thing that is off in it.
import { For } from "solid-js";
import type { Condition } from "../api/types";

/** Of the sum, True is good; of a thing that is off, False. */
export const isWell = ({ kind, status }: Condition): boolean => status === (kind === "Accepted" ? "True" : "False");

export function Conditions(props: { conditions: Condition[] }) {
  return (
    <section class="of-subject" aria-labelledby="conditions">
      <h2 id="conditions">
        Conditions <span>on the object: whether all of it counts, and what is off</span>
      </h2>
      <div class="table">
        <table class="conditions">
          <thead>
            <tr>
              <th scope="col">Type</th>
              <th scope="col">Status</th>
              <th scope="col">What it says</th>
            </tr>
          </thead>
          <tbody>
            <For each={props.conditions}>
              {(condition) => (
                <tr classList={{ off: !isWell(condition) }}>
                  <th scope="row">{condition.kind}</th>
                  <td data-label="status">
                    <b class={`reason ${isWell(condition) ? "good" : "wait"}`}>{condition.status}</b>
                    <small class="quiet"> {condition.reason}</small>
                  </td>
                  <td data-label="says">{condition.message}</td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </div>
    </section>
  );
}
