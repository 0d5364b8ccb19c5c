// Puts the page together: one query cache, one stream, one section at a time.
import { QueryClient, QueryClientProvider } from "@tanstack/solid-query";
import { createEffect, ErrorBoundary, type JSX, Match, on, onCleanup, onMount, Show, Switch } from "solid-js";
import { render } from "solid-js/web";
import { connect } from "./live/connect";
import { decision, follow, place } from "./live/router";
import { asked, look, screen, session } from "./live/session";
import { link, overview } from "./live/state";
import { Decisions } from "./sections/Decisions";
import { applyChange } from "./sections/fresh";
import { Now } from "./sections/Now";
import { OneDecision } from "./sections/OneDecision";
import { Settings } from "./sections/Settings";
import { SignIn } from "./sections/SignIn";
import { SubjectPage } from "./sections/Subject";
import { Scheduling } from "./sections/scheduling/Scheduling";
import { Empty, Failure } from "./ui/Notice";
import { Shell } from "./ui/Shell";
import "./style/tokens.css";
import "./style/base.css";
import "./style/shell.css";
import "./style/parts.css";
import "./style/now.css";
import "./style/reading.css";
import "./style/scheduling.css";
import "./style/groups.css";
import "./style/settings.css";
import "./style/sign-in.css";

const queries = new QueryClient({
  defaultOptions: { queries: { retry: 1, staleTime: 5_000, refetchOnWindowFocus: false } },
});

/** Before anything was heard nothing can have been missed, only have failed; later everything may be old. */
function missed(): void {
  const begun = overview.value !== undefined;
  void queries.invalidateQueries(begun ? {} : { predicate: (query) => query.state.status === "error" });
}

/** The page, for whoever is let in; a way to sign in for everybody else. */
function Door() {
  onMount(() => void look());
  createEffect(() => link().state === "signed-out" && void look());
  return (
    <Show when={asked()}>
      <Show when={screen(session()) !== "page" && session()} fallback={<Page />}>
        {(told) => <SignIn session={told()} left={link().state === "signed-out"} />}
      </Show>
    </Show>
  );
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
          <Match when={decision(place())} keyed>
            {(id) => <OneDecision id={id} />}
          </Match>
          <Match when={place().section === "decisions"}>
            <Decisions />
          </Match>
          <Match
            when={place().section === "subject" && place().rest.length === 3 && JSON.stringify(place().rest)}
            keyed
          >
            {(segments) => <SubjectPage segments={JSON.parse(segments) as [string, string, string]} />}
          </Match>
          <Match when={place().section === "scheduling"}>
            <Scheduling />
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
          <Door />
        </QueryClientProvider>
      </ErrorBoundary>
    ),
    root,
  );
}
