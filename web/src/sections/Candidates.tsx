// Everything that could have been chosen: scores as stacked parts, or every check that failed and by how much.
import { createMemo, For, Show } from "solid-js";
import type { Candidate, Decision } from "../api/types";
import { path } from "../live/router";
import { Empty } from "../ui/Notice";

const PARTS = 6;

/** The weighted share of each part in the best total, as percent. */
export function shares(candidate: Candidate, best: number): { name: string; share: number; points: number }[] {
  return (candidate.scores ?? []).map((score) => {
    const points = score.value * score.weight;
    return { name: score.name, points, share: best > 0 ? (100 * Math.max(0, points)) / best : 0 };
  });
}

export function Candidates(props: { decision: Decision }) {
  const all = () => props.decision.candidates ?? [];
  const best = createMemo(() => Math.max(1, ...all().map((candidate) => candidate.total ?? 0)));
  const parts = createMemo(() => [...new Set(all().flatMap((c) => (c.scores ?? []).map((score) => score.name)))]);
  const part = (name: string) => `part${parts().indexOf(name) % PARTS}`;
  return (
    <section aria-labelledby="candidates">
      <h2 id="candidates">
        Candidates <span>the best, and the nearest misses</span>
      </h2>
      <Show when={all().length > 0} fallback={<Empty title="Nothing was compared" />}>
        <div class="table">
          <table class="candidates">
            <caption class="hidden">Candidates with their scores, or the checks they fail</caption>
            <thead>
              <tr>
                <th scope="col">Candidate</th>
                <th scope="col" class="num">
                  Total
                </th>
                <th scope="col">Score, or what it fails</th>
              </tr>
            </thead>
            <tbody>
              <For each={all()}>
                {(candidate) => (
                  <tr classList={{ won: candidate.name === props.decision.chosen, no: candidate.total === undefined }}>
                    <th scope="row">
                      <Name candidate={candidate} />
                      <Show when={candidate.name === props.decision.chosen}>
                        <span class="chosen">chosen</span>
                      </Show>
                    </th>
                    <td class="num">{candidate.total ?? ""}</td>
                    <td class="wide">
                      <Show when={candidate.total !== undefined} fallback={<Failed candidate={candidate} />}>
                        <div class="bar" role="img" aria-label={said(candidate)} title={said(candidate)}>
                          <For each={shares(candidate, best())}>
                            {(share) => (
                              <i
                                class={part(share.name)}
                                ref={(bar) => bar.style.setProperty("inline-size", `${share.share}%`)}
                              />
                            )}
                          </For>
                        </div>
                      </Show>
                    </td>
                  </tr>
                )}
              </For>
            </tbody>
          </table>
        </div>
        <Show when={parts().length > 0}>
          <div class="legend">
            <For each={parts()}>
              {(name) => (
                <span>
                  <i class={part(name)} />
                  {name}
                </span>
              )}
            </For>
          </div>
        </Show>
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
            <span class="check">{check.name}</span> <Short text={check.text} />
          </li>
        )}
      </For>
    </ul>
  );
}

/** The shortfall is what the eye looks for. */
function Short(props: { text: string }) {
  const cut = () => props.text.search(/short /);
  return (
    <Show when={cut() >= 0} fallback={props.text}>
      {props.text.slice(0, cut())}
      <b class="short">{props.text.slice(cut())}</b>
    </Show>
  );
}

const said = (candidate: Candidate): string =>
  `${candidate.total} = ${(candidate.scores ?? []).map((s) => `${s.name} ${s.value} × ${s.weight}`).join(" + ")}`;
