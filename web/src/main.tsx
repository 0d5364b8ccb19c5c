// Puts the page together: one query cache, one stream, one section at a time.
import { QueryClient, QueryClientProvider } from "@tanstack/solid-query";
import { createEffect, ErrorBoundary, type JSX, Match, on, onCleanup, onMount, Switch } from "solid-js";
import { render } from "solid-js/web";
import { connect } from "./live/connect";
import { follow, place } from "./live/router";
import { overview } from "./live/state";
import { Decisions } from "./sections/Decisions";
import { applyChange } from "./sections/fresh";
import { Now } from "./sections/Now";
import { OneDecision } from "./sections/OneDecision";
import { Settings } from "./sections/Settings";
import { SubjectPage } from "./sections/Subject";
import { Empty, Failure } from "./ui/Notice";
import { Shell } from "./ui/Shell";
import "./style/tokens.css";
import "./style/base.css";
import "./style/shell.css";
import "./style/parts.css";
import "./style/now.css";
import "./style/reading.css";
import "./style/settings.css";

const queries = new QueryClient({
  defaultOptions: { queries: { retry: 1, staleTime: 5_000, refetchOnWindowFocus: false } },
});

/** Before anything was heard nothing can have been missed, only have failed; later everything may be old. */
function missed(): void {
  const begun = overview.value !== undefined;
  void queries.invalidateQueries(begun ? {} : { predicate: (query) => query.state.status === "error" });
}

function Page() {
  onMount(() => {
    connect(missed, (change) => applyChange(queries, change));
    addEventListener("click", follow);
    onCleanup(() => removeEventListener("click", follow));
  });
  return (
    <Shell>
      <Guarded>
        <Switch fallback={<Empty title="There is no such page">Go to Now, or search for a pod.</Empty>}>
          <Match when={place().section === ""}>
            <Now />
          </Match>
          <Match when={place().section === "decisions"}>
            <Decisions />
          </Match>
          <Match when={place().section === "decision" && place().rest[0]} keyed>
            {(id) => <OneDecision id={id} />}
          </Match>
          <Match
            when={place().section === "subject" && place().rest.length === 3 && JSON.stringify(place().rest)}
            keyed
          >
            {(segments) => <SubjectPage segments={JSON.parse(segments) as [string, string, string]} />}
          </Match>
          <Match when={place().section === "settings"}>
            <Settings />
          </Match>
        </Switch>
      </Guarded>
    </Shell>
  );
}

/** A section that breaks says so in its place, and is drawn again when the person goes elsewhere. */
function Guarded(props: { children: JSX.Element }) {
  return (
    <ErrorBoundary
      fallback={(error, reset) => {
        createEffect(on(place, reset, { defer: true }));
        return <Failure error={error} retry={reset} />;
      }}
    >
      {props.children}
    </ErrorBoundary>
  );
}

const root = document.getElementById("app");
if (root) {
  render(
    () => (
      <ErrorBoundary fallback={(error) => <Failure error={error} retry={() => location.reload()} />}>
        <QueryClientProvider client={queries}>
          <Page />
        </QueryClientProvider>
      </ErrorBoundary>
    ),
    root,
  );
}
