// The chain of causes as a picture: what led here, this decision, and what it led to.
//
// Wide, the decisions stand in columns and lines lead from each cause to what it caused; on a phone they stand below each
// other with the lines beside them. For those who do not see it, each card says what it was caused by.
import { createMemo, createSignal, For, Index, onCleanup, onMount, Show } from "solid-js";
import type { Decision } from "../api/types";
import { path } from "../live/router";
import { named } from "../live/subject";
import { time } from "../ui/format";
import { tone } from "../ui/tone";
import { graph } from "./graph";
import { type Box, columnsAt, picture } from "./picture";

/** How many of a column are drawn before a person asks for all. */
const ROWS = 4;

export function Causes(props: { decision: Decision; causes: Decision[]; consequences: Decision[] }) {
  let frame: HTMLElement | undefined;
  const [width, setWidth] = createSignal(1_000);
  const [whole, setWhole] = createSignal(false);
  const others = (of: Decision[]) => of.filter((one) => one.id !== props.decision.id);
  const nothing = () =>
    others(props.causes).length + others(props.consequences).length === 0 && props.decision.cause_count === 0;

  onMount(() => {
    const watch = new ResizeObserver(([entry]) => entry && setWidth(Math.floor(entry.contentRect.width)));
    if (frame) watch.observe(frame);
    onCleanup(() => watch.disconnect());
  });
  const found = createMemo(() => {
    const room = { columns: columnsAt(width()), rows: whole() ? Number.POSITIVE_INFINITY : ROWS };
    return graph(props.decision, others(props.causes), others(props.consequences), room);
  });
  const drawn = createMemo(() => picture(found(), width()));
  const isHere = (decision: Decision) => decision.id === props.decision.id;
  const near = (line: { from: string; to: string }) => [line.from, line.to].includes(props.decision.id);
  /** What the lines say. */
  const because = (decision: Decision): string => {
    const causes = found().lines.filter((line) => line.to === decision.id);
    const words = causes.map(({ from }) => found().spots.find(({ knot }) => knot.id === from)?.knot);
    const said = words.flatMap((cause) => (cause ? `${cause.reason} ${named(cause.subject)}` : []));
    return said.length > 0 ? `, caused by ${said.join(" and ")}` : "";
  };

  return (
    <section ref={frame} class="causes" classList={{ hidden: nothing() }} aria-label="What led here, and what followed">
      <Show when={!nothing()}>
        <div class="picture" style={{ "block-size": `${drawn().height}px` }}>
          <svg width={drawn().width} height={drawn().height} aria-hidden="true">
            <For each={drawn().lines}>{(line) => <path d={line.path} classList={{ near: near(line) }} />}</For>
          </svg>
          <ol>
            <Index each={drawn().cards}>
              {(card) => (
                <li classList={{ here: isHere(card().knot) }} style={at(card())}>
                  <a
                    class={tone(card().knot)}
                    href={path("decision", card().knot.id)}
                    aria-current={isHere(card().knot) ? "page" : undefined}
                  >
                    <b>{card().knot.reason}</b>
                    <span>{named(card().knot.subject)}</span>
                    <small>
                      {card().knot.subject.kind} · {time(card().knot.at)}
                    </small>
                    <span class="hidden">{because(card().knot)}</span>
                  </a>
                </li>
              )}
            </Index>
            <Index each={drawn().more}>
              {(more) => (
                <li style={at(more())}>
                  <Show when={more().known} fallback={<span class="quiet">{more().count} more</span>}>
                    <button type="button" class="quiet" onClick={() => setWhole(true)}>
                      {more().count} more
                    </button>
                  </Show>
                </li>
              )}
            </Index>
          </ol>
        </div>
      </Show>
    </section>
  );
}

const at = (box: Box) => ({
  left: `${box.x}px`,
  top: `${box.y}px`,
  width: `${box.width}px`,
  height: `${box.height}px`,
});
