// The frame around every section: the way around, the search, and whether what is shown is current.
import { createSignal, For, type JSX, onCleanup, onMount, Show } from "solid-js";
import { again } from "../live/connect";
import { go, place } from "../live/router";
import { session, signOut } from "../live/session";
import { link, overview } from "../live/state";
import { searchPath } from "../live/subject";
import { span, weekday } from "./format";
import { singleKeys } from "./keys";
import { Shortcuts } from "./Shortcuts";
import { ThemeSwitch } from "./Theme";
import { now, real } from "./Tick";

const SECTIONS = [
  ["", "Now", "n"],
  ["decisions", "Decisions", "d"],
  ["scheduling", "Scheduling", "c"],
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
    if (!singleKeys()) return;
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
            <Show when={singleKeys()}>
              <kbd>?</kbd>
            </Show>
            shortcuts
          </button>
          <Show when={session()?.user}>
            {(user) => (
              <div class="account">
                <small class="who">{user()}</small>
                <Show when={session()?.sign_in !== "proxy"}>
                  <button type="button" class="quiet" onClick={() => void signOut()}>
                    Sign out
                  </button>
                </Show>
              </div>
            )}
          </Show>
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
            <Show when={singleKeys()}>
              <kbd>/</kbd>
            </Show>
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
      <span class={`link ${link().state}`}>{LINK[link().state]}</span>
    </p>
  );
}

const LINK = { connecting: "connecting", live: "live", away: "away", "signed-out": "signed out" } as const;
const NEEDED = { api: "API server", store: "Store", telemetry: "Collector" } as const;

/** For the eye alone: a reader of the screen would hear it every second. */
const HowLong = (props: { microseconds: number }) => <span aria-hidden="true"> for {span(props.microseconds)}</span>;

/** Says what is not connected: the page itself, or something Keelson needs. */
function Connection() {
  const broken = () =>
    link().state === "live" ? (overview.value?.connections ?? []).filter((connection) => !connection.ok) : [];
  const away = () => (link().state === "away" ? link() : undefined);
  return (
    <div aria-live="polite">
      <Show when={away()}>
        {(away) => (
          <p class="banner bad">
            <b>{away().said ? "Keelson does not let this page listen" : "Keelson does not answer"}</b>
            <HowLong microseconds={(real() - away().since) * 1_000} />
            <Show when={away().said}>{(said) => <>: {said().replace(/[.]$/, "")}</>}</Show>.{" "}
            <Show when={overview.value} fallback="This page connects by itself.">
              What is shown is from then; this page reconnects by itself.
            </Show>
          </p>
        )}
      </Show>
      <Show when={link().state === "signed-out"}>
        <p class="banner bad">
          <b>You are signed out</b>. What is shown is from then.{" "}
          <button type="button" onClick={again}>
            I have signed in again
          </button>
        </p>
      </Show>
      <For each={broken().map((connection) => connection.name)}>
        {(name) => {
          const connection = () => broken().find((one) => one.name === name);
          return (
            <p class="banner warn">
              <b>{NEEDED[name]} away</b>
              <HowLong microseconds={now() - (connection()?.since ?? now())} />: {connection()?.detail}
            </p>
          );
        }}
      </For>
    </div>
  );
}
