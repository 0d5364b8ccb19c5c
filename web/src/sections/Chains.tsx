// The live stream of decisions, folded into chains. It stands still while somebody reads in it.
import { createEffect, createMemo, createSignal, For, Match, onCleanup, Show, Switch } from "solid-js";
import { ApiError } from "../api/client";
import { alike } from "../live/alike";
import { chains } from "../live/chains";
import { refresh } from "../live/connect";
import { recent, recentKnown, recentTrouble } from "../live/state";
import { named } from "../live/subject";
import { Empty, Failure } from "../ui/Notice";
import { ChainCard } from "./ChainCard";

const CARDS = 24;
/** A pointer that rests this long reads no more, in milliseconds: a wall's does not hold the list for ever. */
const RESTS = 20_000;
/** One sentence in so many milliseconds is enough for those who listen. */
const SPEAK = 10_000;

export function Chains() {
  const [paused, setPaused] = createSignal(false);
  const reading = createReading();
  const still = () => paused() || reading.is();
  const shown = createMemo((before: ReturnType<typeof recent>) => (still() ? before : recent()), recent());
  const unseen = createMemo(() => {
    if (!still()) return 0;
    const seen = new Set(shown().map((decision) => decision.id));
    return recent().filter((decision) => !seen.has(decision.id)).length;
  });
  const groups = createMemo(() => new Map(alike(chains(shown()), CARDS).map((group) => [group.key, group])));
  return (
    <section aria-labelledby="stream">
      <h2 id="stream">
        Decisions, as chains
        <span class="more-to-come">
          <Show when={unseen() > 0}>{unseen()} new</Show>
        </span>
        <button type="button" class="quiet" aria-pressed={paused()} onClick={() => setPaused(!paused())}>
          {paused() ? "Go on" : "Pause"}
        </button>
      </h2>
      <Spoken />
      <div class="chains" {...reading.on}>
        <For each={[...groups().keys()]}>
          {(key) => {
            // A card that has just left is drawn as it was until it is gone.
            const group = createMemo(
              (before: ReturnType<typeof alike>[number] | undefined) => groups().get(key) ?? before,
            );
            return <Show when={group()}>{(group) => <ChainCard group={group()} />}</Show>;
          }}
        </For>
        <Switch>
          <Match when={recentTrouble()}>
            {(trouble) => <Failure error={new ApiError(trouble().message, trouble().fix, 0)} retry={refresh} />}
          </Match>
          <Match when={!recentKnown() && groups().size === 0}>
            <Coming />
          </Match>
          <Match when={groups().size === 0}>
            <Empty title="Nothing decided yet">The first pod that needs a node appears here.</Empty>
          </Match>
        </Switch>
      </div>
    </section>
  );
}

/** Whether the focus or a moving pointer is inside. */
function createReading() {
  const [focused, setFocused] = createSignal(false);
  const [pointed, setPointed] = createSignal(false);
  let rest: ReturnType<typeof setTimeout> | undefined;
  const leave = () => {
    clearTimeout(rest);
    setPointed(false);
  };
  onCleanup(() => clearTimeout(rest));
  return {
    is: () => focused() || pointed(),
    on: {
      onFocusIn: () => setFocused(true),
      // While the window is away the focus still waits here, though it goes to nobody else.
      onFocusOut: (event: FocusEvent & { currentTarget: HTMLElement }) =>
        setFocused(
          [event.relatedTarget, document.activeElement].some((to) => event.currentTarget.contains(to as Node)),
        ),
      onPointerMove: (event: PointerEvent) => {
        if (event.pointerType !== "mouse") return;
        setPointed(true);
        clearTimeout(rest);
        rest = setTimeout(leave, RESTS);
      },
      onPointerLeave: leave,
    },
  };
}

function Spoken() {
  const [spoken, setSpoken] = createSignal("");
  let last = 0;
  createEffect(() => {
    const [decision] = recent();
    if (!decision || Date.now() - last < SPEAK) return;
    last = Date.now();
    setSpoken(`${decision.reason}: ${named(decision.subject)}`);
  });
  return (
    <p class="hidden" aria-live="polite">
      {spoken()}
    </p>
  );
}

function Coming() {
  return (
    <div class="coming" role="status" aria-label="Loading">
      <For each={[72, 88, 64, 80]}>
        {(width) => (
          <div class="card">
            <span class="bone" />
            <span class="bone" data-width={width} />
            <span class="bone" />
          </div>
        )}
      </For>
    </div>
  );
}
