// One clock for every age on the page: it ticks once a second, and stands still in a hidden tab.
import { createSignal } from "solid-js";
import { clusterNow } from "../live/state";

const [real, setReal] = createSignal(Date.now());
setInterval(() => document.visibilityState === "visible" && setReal(Date.now()), 1_000);

export { real };
/** The cluster's moment, in microseconds. */
export const now = (): number => clusterNow(real());
