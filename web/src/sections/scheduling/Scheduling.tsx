// Scheduling: who waits and what would help, applications over nodes, interfaces, other schedulers' choices, and what-if.
import { createMemo, Show } from "solid-js";
import { overview } from "../../live/state";
import { plural } from "../../ui/format";
import { Mode } from "../../ui/Mode";
import { Compared } from "./Compared";
import { Groups } from "./Groups";
import { Interfaces } from "./Interfaces";
import { PendingPods } from "./PendingPods";
import { WhatIfBox } from "./WhatIfBox";

export function Scheduling() {
  document.title = "Scheduling · Keelson";
  const feature = createMemo(() => overview.value?.features.find((one) => one.feature === "scheduling"));
  return (
    <div class="scheduling">
      <h1>
        Scheduling
        <Show when={feature()}>
          {(it) => (
            <>
              <span class="sub">{plural(it().counts.placed, "pod")} placed in the last hour</span>
              <Mode mode={it().mode} />
            </>
          )}
        </Show>
      </h1>
      <div class="sched-cols">
        <PendingPods />
        <Compared />
      </div>
      <Groups />
      <Interfaces />
      <WhatIfBox />
    </div>
  );
}
