// Puts the page together: one query cache, one stream, one section at a time.
import { QueryClient, QueryClientProvider } from "@tanstack/solid-query";
import { Match, onCleanup, onMount, Switch } from "solid-js";
import { render } from "solid-js/web";
import { connect } from "./live/connect";
import { follow, place } from "./live/router";
import { Decisions } from "./sections/Decisions";
import { Now } from "./sections/Now";
import { OneDecision } from "./sections/OneDecision";
import { Settings } from "./sections/Settings";
import { SubjectPage } from "./sections/Subject";
import { Empty } from "./ui/Notice";
import { Shell } from "./ui/Shell";
import "./style/tokens.css";
import "./style/base.css";
import "./style/shell.css";
import "./style/parts.css";
import "./style/now.css";
import "./style/sections.css";

const queries = new QueryClient({
  defaultOptions: { queries: { retry: 1, staleTime: 5_000, refetchOnWindowFocus: false } },
});

function Page() {
  onMount(() => {
    connect(() => void queries.invalidateQueries());
    addEventListener("click", follow);
    onCleanup(() => removeEventListener("click", follow));
  });
  return (
    <Shell>
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
        <Match when={place().section === "subject" && place().rest.length === 3 && place().rest.join("/")} keyed>
          {(key) => <SubjectPage segments={key.split("/") as [string, string, string]} />}
        </Match>
        <Match when={place().section === "settings"}>
          <Settings />
        </Match>
      </Switch>
    </Shell>
  );
}

const root = document.getElementById("app");
if (root) {
  render(
    () => (
      <QueryClientProvider client={queries}>
        <Page />
      </QueryClientProvider>
    ),
    root,
  );
}
