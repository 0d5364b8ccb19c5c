// Everything that could have been chosen: scores as stacked parts, or every check that failed and by how much.
import { createMemo, For, Show } from "solid-js";
import type { Candidate, Decision } from "../api/types";
import { path } from "../live/router";
import { Empty } from "../ui/Notice";
import { most, parts, pieces } from "./scores";

const COLOURS = 6;

export function Candidates(props: { decision: Decision }) {
  const all = () => props.decision.candidates ?? [];
  const best = createMemo(() => most(all()));
  const names = createMemo(() => [...new Set(all().flatMap((one) => (one.scores ?? []).map((score) => score.name)))]);
  const colour = (name: string) => `part${names().indexOf(name) % COLOURS}`;
  const isChosen = (one: Candidate) => one.total !== undefined && one.name === props.decision.chosen;
  return (
    <section aria-labelledby="candidates">
      <h2 id="candidates">
        Candidates <span>the best, and the nearest misses</span>
      </h2>
      <Show
        when={all().length > 0}
        fallback={<Empty title="Nothing was compared">The sentence above says all there is.</Empty>}
      >
        <div class="table stacked">
          <table class="candidates">
            <caption class="hidden">Candidates with their scores, or the checks they fail</caption>
            <thead>
              <tr>
                <th scope="col">Candidate</th>
                <th scope="col" class="num">
                  <Show when={best() > 0} fallback="Score">
                    Score of {best()}
                  </Show>
                </th>
                <th scope="col">Its parts, or what it fails</th>
              </tr>
            </thead>
            <tbody>
              <For each={all()}>
                {(candidate) => (
                  <tr classList={{ won: isChosen(candidate), no: candidate.total === undefined }}>
                    <th scope="row">
                      <Name candidate={candidate} />
                      <Show when={isChosen(candidate)}>
                        <span class="chosen">chosen</span>
                      </Show>
                    </th>
                    <td class="num">{candidate.total ?? ""}</td>
                    <td class="wide">
                      <Show when={candidate.total !== undefined} fallback={<Failed candidate={candidate} />}>
                        <div class="bar" aria-hidden="true">
                          <For each={parts(candidate, best())}>
                            {(part) => <i class={colour(part.name)} style={{ "inline-size": `${part.share}%` }} />}
                          </For>
                        </div>
                        <ul class="parts">
                          <For each={parts(candidate, best())}>
                            {(part) => (
                              <li class={colour(part.name)} classList={{ none: part.points === 0 }}>
                                {part.name} <b>{part.points}</b>
                                <Show when={part.weight !== 1}>
                                  <small>
                                    {" "}
                                    {part.value} × {part.weight}
                                  </small>
                                </Show>
                              </li>
                            )}
                          </For>
                        </ul>
                      </Show>
                    </td>
                  </tr>
                )}
              </For>
            </tbody>
          </table>
        </div>
      </Show>
    </section>
  );
}

function Name(props: { candidate: Candidate }) {
  // A group of candidates reads "34 nodes in eu-west-1a" and has no page of its own.
  return (
    <Show when={!props.candidate.name.includes(" ")} fallback={props.candidate.name}>
      <a href={path("subject", "Node", "-", props.candidate.name)}>
        <code>{props.candidate.name}</code>
      </a>
    </Show>
  );
}

function Failed(props: { candidate: Candidate }) {
  return (
    <ul class="failed">
      <For each={props.candidate.failed ?? []}>
        {(check) => (
          <li>
            <span class="check">{check.name}</span>{" "}
            <For each={pieces(check.text)}>
              {(piece) => (
                <Show when={piece.short} fallback={piece.text}>
                  <b class="short">{piece.text}</b>
                </Show>
              )}
            </For>
          </li>
        )}
      </For>
    </ul>
  );
}
