// Joins this tab to the one stream of its browser, for as long as it is open.
import { get } from "../api/client";
import type { DecisionPage } from "../api/types";
import type { Change } from "./list";
import { hear, isChange, known, learn, type Said, setLink, take } from "./state";
import { Tab } from "./tab";

let tab: Tab | undefined;

/**
 * `missed` is called when everything that was asked for must be asked for again, `changed` with what happens to each
 * decision.
 */
export function connect(missed: () => void, changed: (change: Change) => void): void {
  const name = "keelson-stream";
  const joined = new Tab(
    { hear: (said) => told(said, changed), learn, setLink, take, known, missed },
    {
      channel: "BroadcastChannel" in globalThis ? new BroadcastChannel(name) : undefined,
      // Absent where the page is served without TLS under a name: then each tab has a stream of its own.
      locks: navigator.locks,
      fetch: (...request) => fetch(...request),
      read: () => get<DecisionPage>("decisions?limit=200"),
      chance: Math.random,
      visible: () => document.visibilityState === "visible",
    },
  );
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && joined.look());
  addEventListener("online", () => joined.look());
  tab = joined;
}

function told(said: readonly Said[], changed: (change: Change) => void): void {
  hear(said);
  for (const one of said) if (isChange(one)) changed(one);
}

/** Asks again for the decisions that could not be read. */
export const refresh = (): void => tab?.refresh();

/** Connects again after signing in. */
export const again = (): void => tab?.again();
