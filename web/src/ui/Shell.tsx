// The frame around every section: the way around, the search, and whether what is shown is current.
import { createSignal, type JSX, onCleanup, onMount, Show } from "solid-js";
import { go, place } from "../live/router";
import { link, overview } from "../live/state";
import { searchPath } from "../live/subject";
import { span, weekday } from "./format";
import { Shortcuts } from "./Shortcuts";
import { ThemeSwitch } from "./Theme";
import { now, real } from "./Tick";

const SECTIONS = [
  ["", "Now", "n"],
  ["decisions", "Decisions", "d"],
  ["settings", "Settings", "s"],
] as const;

export function Shell(props: { children: JSX.Element }) {
  let search: HTMLInputElement | undefined;
  const [help, setHelp] = createSignal(false);
  let leader = 0;

  const onKey = (event: KeyboardEvent) => {
    const typing = (event.target as Element).matches?.("input, select, textarea, [contenteditable]");
    if (event.key === "Escape" && typing) (event.target as HTMLElement).blur();
    if (typing || event.metaKey || event.ctrlKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key === "/") {
      event.preventDefault();
      search?.focus();
    } else if (event.key === "?") {
      setHelp(true);
    } else if (event.key === "g") {
      leader = event.timeStamp;
    } else if (event.timeStamp - leader < 1_200) {
      const section = SECTIONS.find(([, , key]) => key === event.key);
      if (section) go(`/${section[0]}`);
      leader = 0;
    }
  };
  onMount(() => addEventListener("keydown", onKey));
  onCleanup(() => removeEventListener("keydown", onKey));

  const find = (event: SubmitEvent) => {
    event.preventDefault();
    const found = searchPath(search?.value ?? "");
    if (found) go(found);
    search?.blur();
  };

  return (
    <div class="app" classList={{ stale: link().state === "away" }}>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <nav aria-label="Sections">
        <a class="brand" href="/">
          <svg width="24" height="24" viewBox="0 0 22 22" aria-hidden="true">
            <path d="M2 7c2 8 6 12 9 12s7-4 9-12" />
            <path class="ribs" d="M11 3v16M6 8v6.6M16 8v6.6" />
          </svg>
          Keelson
        </a>
        {SECTIONS.map(([section, name]) => (
          <a href={`/${section}`} aria-current={place().section === section ? "page" : undefined}>
            {name}
            <Show when={section === "" && waiting() > 0}>
              <small>{waiting()} wait</small>
            </Show>
          </a>
        ))}
        <div class="nav-foot">
          <ThemeSwitch />
          <button type="button" class="quiet" onClick={() => setHelp(true)}>
            <kbd>?</kbd> shortcuts
          </button>
          <small>{overview.value?.cluster.version && `Keelson ${overview.value.cluster.version}`}</small>
        </div>
      </nav>
      <div class="body">
        <header class="top">
          <form role="search" onSubmit={find}>
            <label class="hidden" for="search">
              Find a pod, a node or a decision
            </label>
            <input
              ref={search}
              id="search"
              type="search"
              placeholder="pod shop/cart-0"
              autocomplete="off"
              maxlength={300}
            />
            <kbd>/</kbd>
          </form>
          <Where />
        </header>
        <Connection />
        <main id="main" tabindex={-1}>
          {props.children}
        </main>
      </div>
      <Show when={help()}>
        <Shortcuts close={() => setHelp(false)} />
      </Show>
    </div>
  );
}

const waiting = () =>
  overview.value?.features.reduce((sum, feature) => sum + feature.counts.waiting + feature.counts.refused, 0) ?? 0;

function Where() {
  return (
    <p class="where">
      <Show when={overview.value?.cluster}>
        {(cluster) => (
          <>
            <span class="cluster-name">{cluster().name}</span>
            <span title="the cluster's own time, UTC">{weekday(now())}</span>
            <Show when={cluster().speed !== 1}>
              <span class="speed">{cluster().speed}×</span>
            </Show>
          </>
        )}
      </Show>
      <span class={`link ${link().state}`}>
        {{ connecting: "connecting", live: "live", away: "away" }[link().state]}
      </span>
    </p>
  );
}

/** Says what is not connected, and for how long: the page itself, or something Keelson needs. */
function Connection() {
  const broken = () => (overview.value?.connections ?? []).filter((connection) => !connection.ok);
  return (
    <div aria-live="polite">
      <Show when={link().state === "away"}>
        <p class="banner bad">
          <b>Keelson does not answer</b> since {span((real() - link().since) * 1_000)}. What is shown is from then; this
          page reconnects by itself.
        </p>
      </Show>
      <Show when={link().state === "live"}>
        {broken().map((connection) => (
          <p class="banner warn">
            <b>{{ api: "API server", store: "Store", telemetry: "Collector" }[connection.name]}</b> away for{" "}
            {span(now() - connection.since)}: {connection.detail}
          </p>
        ))}
      </Show>
    </div>
  );
}
