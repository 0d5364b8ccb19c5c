// What nodes' network interfaces carry: reserved, measured and the limit, the fullest first.
import { useQuery } from "@tanstack/solid-query";
import { createMemo, createSignal, For, Show } from "solid-js";
import { path } from "../../live/router";
import { Answered } from "../../ui/Answered";
import { plural } from "../../ui/format";
import { Empty } from "../../ui/Notice";
import { bandwidth } from "./answers";
import { type Interface, type Ledger, said, share } from "./interfaces";

const EVERY = 10_000;
const ROWS = 8;

export function Interfaces() {
  const asked = useQuery(() => ({
    queryKey: ["scheduling-bandwidth"],
    queryFn: bandwidth,
    refetchInterval: EVERY,
  }));
  const [all, setAll] = createSignal(false);
  const names = createMemo(() => (asked.data?.interfaces ?? []).map(({ name }) => name));
  const shown = () => (all() ? names() : names().slice(0, ROWS));
  return (
    <section aria-labelledby="interfaces">
      <h2 id="interfaces">
        Network interfaces <span>what is reserved and measured of what nodes carry, the fullest first</span>
      </h2>
      <Answered
        asked={asked}
        there={names().length > 0 && asked.data}
        none={
          <Empty title="No interface is known">
            Say what a node carries with the annotation <code>bandwidth.keelson.dev/egress-capacity</code>, or write a{" "}
            <code>NodeNetwork</code> of its name (docs/guide.md): pods that ask for bandwidth then avoid nodes that have
            too little left.
          </Empty>
        }
        refusal={{ title: "You may not see nodes", role: "That needs a role that may list nodes." }}
        rows={5}
      >
        {(known) => (
          <div class="carries">
            <p class="legend">
              <span>
                <i class="reserved" /> reserved by pods
              </span>
              <span>
                <i class="measured" /> measured, with who came since
              </span>
              <span>
                <i class="limit" /> limit for pods
              </span>
              <b>
                {known().saturated === 0 ? "none" : known().saturated} of {plural(known().known, "interface")} saturated
              </b>
              <Show when={known().known < known().nodes}>
                <small>{plural(known().nodes - known().known, "node")} without a known capacity: not limited</small>
              </Show>
            </p>
            <ul>
              <For each={shown()}>
                {(name) => (
                  <Show when={known().interfaces.find((one) => one.name === name)}>{(one) => <Row of={one()} />}</Show>
                )}
              </For>
            </ul>
            <Show when={names().length > ROWS}>
              <p class="more">
                <button type="button" aria-expanded={all()} onClick={() => setAll(!all())}>
                  {all() ? "Show the fullest" : `Show all ${names().length}`}
                </button>
              </p>
            </Show>
          </div>
        )}
      </Answered>
    </section>
  );
}

function Row(props: { of: Interface }) {
  return (
    <li>
      <span class="of">
        <a href={path("subject", "Node", "-", props.of.name)}>{props.of.name}</a>
        <small>
          {props.of.zone}
          <Show when={props.of.unmeasured}>{(why) => <span class="why"> {why()}</span>}</Show>
        </small>
      </span>
      <Bar word="egress" of={props.of.egress} />
      <Bar word="ingress" of={props.of.ingress} />
    </li>
  );
}

function Bar(props: { word: string; of: Ledger | null }) {
  return (
    <span class="way">
      <small>{props.word}</small>
      <Show when={props.of} fallback={<small class="quiet">capacity unknown</small>}>
        {(ledger) => (
          <>
            <span
              class="nic"
              classList={{ hot: ledger().saturated || ledger().taken >= ledger().usable }}
              aria-hidden="true"
            >
              <i style={{ "inline-size": `${share(ledger().reserved, ledger())}%` }} />
              <Show when={ledger().measured !== null}>
                <b style={{ "inline-size": `${share(ledger().measured ?? 0, ledger())}%` }} />
              </Show>
              <u style={{ "inset-inline-start": `${share(ledger().usable, ledger())}%` }} />
            </span>
            <small class="amounts">{said(ledger())}</small>
          </>
        )}
      </Show>
    </span>
  );
}
