// The one event stream of this tab: resumes where it was, and backs off with jitter while the server is away.

import { get } from "../api/client";
import type { Decision, DecisionPage, EffectChange, NodesChange, OutcomeChange, Overview } from "../api/types";
import type { Change } from "../sections/fresh";
import { backoff } from "./backoff";
import {
  hearDecision,
  hearEffect,
  hearNodes,
  hearOutcome,
  hearOverview,
  KEPT,
  link,
  setLink,
  setReadOnly,
  startWith,
} from "./state";

/**
 * Connects, and stays connected until the tab is closed. `missed` is called when everything must be asked for again,
 * `changed` with whatever happens to a decision.
 */
export function connect(missed: () => void, changed: (change: Change) => void): void {
  let failures = 0;
  let retry: ReturnType<typeof setTimeout> | undefined;

  const open = () => {
    clearTimeout(retry);
    const source = new EventSource("/api/v1/stream");
    const on = <T>(name: string, hear: (data: T) => void) =>
      source.addEventListener(name, (event) => hear(JSON.parse((event as MessageEvent<string>).data) as T));
    on<{ resumed: boolean; read_only: boolean }>("hello", (hello) => {
      failures = 0;
      setLink({ state: "live", since: Date.now() });
      setReadOnly(hello.read_only);
      if (!hello.resumed) void refresh(missed);
    });
    on<Overview>("overview", hearOverview);
    on<NodesChange>("nodes", hearNodes);
    on<Decision>("decision", (data) => {
      hearDecision(data);
      changed({ name: "decision", data });
    });
    on<OutcomeChange>("outcome", (data) => {
      hearOutcome(data);
      changed({ name: "outcome", data });
    });
    on<EffectChange>("effect", (data) => {
      hearEffect(data);
      changed({ name: "effect", data });
    });
    on("reset", () => void refresh(missed));
    source.onerror = () => {
      if (link().state !== "away") setLink({ state: "away", since: Date.now() });
      // While the browser itself reconnects it sends Last-Event-ID; when it gave up, we begin again.
      if (source.readyState !== EventSource.CLOSED) return;
      retry = setTimeout(open, backoff(failures++, Math.random()));
    };
  };
  addEventListener("online", () => link().state === "away" && retry && open());
  open();
}

async function refresh(missed: () => void): Promise<void> {
  missed();
  const page = await get<DecisionPage>(`decisions?limit=${Math.min(KEPT, 200)}`).catch(() => undefined);
  if (page) startWith(page.decisions);
}
