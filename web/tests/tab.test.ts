// Tabs of one browser share one stream: one leads, the others hear all of it, and the next one takes over. Time is virtual.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Decision, DecisionPage } from "../src/api/types";
import type { Locks } from "../src/live/leader";
import type { Known, Said, Trouble } from "../src/live/state";
import { PATIENCE, Tab } from "../src/live/tab";
import { decision } from "./decision";

/** The locks of a browser: one holder, a queue, and stealing. */
class Lock {
  holder: { lose: (error: Error) => void; tab: number } | undefined;
  #queue: { tab: number; grant: () => void }[] = [];

  for = (tab: number): Locks => ({
    request: (_, { steal }, held) =>
      new Promise((_resolve, lose) => {
        const grant = () => {
          this.holder = { lose, tab };
          void held();
        };
        queueMicrotask(() => {
          if (steal) {
            const before = this.holder;
            grant();
            before?.lose(new Error("stolen"));
          } else if (this.holder) this.#queue.push({ tab, grant });
          else grant();
        });
      }),
  });

  close(tab: number): void {
    this.#queue = this.#queue.filter((one) => one.tab !== tab);
    if (this.holder?.tab !== tab) return;
    this.holder = undefined;
    this.#queue.shift()?.grant();
  }
}

type Channel = { postMessage(word: unknown): void; onmessage: ((event: MessageEvent) => void) | null };

class Browser {
  lock = new Lock();
  channels = new Map<number, Channel>();
  streams: { lastId: string | undefined; write(text: string): void; open: boolean; tab: number }[] = [];
  pages = new Map<number, { said: Said[]; list: readonly Decision[]; trouble: Trouble | undefined; missed: number }>();
  tabs = new Map<number, Tab>();
  frozen = new Set<number>();
  read: () => Promise<DecisionPage> = async () => ({ decisions: [decision("0", 0, "first")], partial: false });
  reads = 0;

  open(tab: number, locks: Locks | undefined = this.lock.for(tab)): void {
    const page = {
      said: [] as Said[],
      list: [] as readonly Decision[],
      trouble: undefined as Trouble | undefined,
      missed: 0,
    };
    this.pages.set(tab, page);
    const channel: Channel = {
      onmessage: null,
      postMessage: (word) => {
        for (const [name, other] of this.channels) {
          if (name === tab || this.frozen.has(name)) continue;
          queueMicrotask(() => other.onmessage?.({ data: structuredClone(word) } as MessageEvent));
        }
      },
    };
    this.channels.set(tab, channel);
    this.tabs.set(
      tab,
      new Tab(
        {
          hear: (said) => void page.said.push(...said),
          learn: (read) => {
            if ("message" in read) page.trouble = read;
            else [page.list, page.trouble] = [read, undefined];
          },
          setLink: () => {},
          take: (known) => {
            page.list = known.recent;
            page.said.push({ name: "taken", data: known.recentKnown });
          },
          known: () => ({ recent: page.list, recentKnown: page.list.length > 0 }) as unknown as Known,
          missed: () => void page.missed++,
        },
        {
          channel: channel as unknown as BroadcastChannel,
          locks,
          fetch: this.#fetch(tab),
          read: () => {
            this.reads += 1;
            return this.read();
          },
          chance: () => tab / 100,
          visible: () => true,
        },
      ),
    );
  }

  close(tab: number): void {
    this.channels.delete(tab);
    for (const stream of this.streams) if (stream.tab === tab) stream.open = false;
    this.lock.close(tab);
  }

  #fetch(tab: number): typeof fetch {
    return (async (_: string, init: RequestInit) => {
      let body: ReadableStreamDefaultController<Uint8Array> | undefined;
      const stream = {
        tab,
        lastId: (init.headers as Record<string, string>)["last-event-id"],
        open: true,
        write: (text: string) => body?.enqueue(new TextEncoder().encode(text)),
      };
      this.streams.push(stream);
      init.signal?.addEventListener("abort", () => {
        stream.open = false;
        body?.error(new Error("aborted"));
      });
      return new Response(
        new ReadableStream<Uint8Array>({
          start(controller) {
            body = controller;
          },
        }),
      );
    }) as unknown as typeof fetch;
  }

  get live() {
    return this.streams.filter((stream) => stream.open);
  }

  async say(text: string): Promise<void> {
    this.live[0]?.write(text);
    await pass(0);
  }

  names = (tab: number): string[] => this.pages.get(tab)?.said.map((said) => said.name) ?? [];
}

const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);
const hello = (resumed: boolean) => `event: hello\nid: 1\ndata: {"resumed":${resumed},"read_only":false}\n\n`;
const made = (id: number) =>
  `event: decision\nid: ${id}\ndata: ${JSON.stringify(decision(`${id}`, id, `pod-${id}`))}\n\n`;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("tabs of one browser", () => {
  it("have one stream, and each hears all of it once it was told what was before", async () => {
    const browser = new Browser();
    browser.open(1);
    await pass(0);
    await browser.say(hello(false));
    await browser.say(made(2));
    for (const tab of [2, 3, 4, 5, 6, 7]) browser.open(tab);
    await pass(0);
    await browser.say(made(3));
    expect(browser.streams).toHaveLength(1);
    expect(browser.reads).toBe(1);
    for (const tab of [2, 3, 4, 5, 6, 7]) {
      expect(browser.names(tab)).toEqual(["taken", "decision"]);
      expect(browser.pages.get(tab)?.list.map((d) => d.id)).toEqual(["0"]);
    }
  });

  it("go on after the last event when the leader closes", async () => {
    const browser = new Browser();
    for (const tab of [1, 2, 3]) browser.open(tab);
    await pass(0);
    await browser.say(hello(false));
    await browser.say(made(2));
    browser.close(1);
    await pass(0);
    expect(browser.live.map((stream) => [stream.tab, stream.lastId])).toEqual([[2, "2"]]);
    await browser.say(hello(true));
    await browser.say(made(3));
    for (const tab of [2, 3]) expect(browser.names(tab).filter((name) => name === "decision")).toHaveLength(2);
    expect(browser.reads).toBe(1);
  });

  it("replace a leader that no longer answers, which then follows", async () => {
    const browser = new Browser();
    browser.open(1);
    await pass(0);
    await browser.say(hello(false));
    browser.frozen.add(1);
    browser.open(2);
    await pass(PATIENCE + 1);
    expect(browser.live.map((stream) => stream.tab)).toEqual([2]);
    browser.frozen.delete(1);
    await browser.say(hello(false));
    await browser.say(made(2));
    await pass(PATIENCE * 2);
    expect(browser.live.map((stream) => stream.tab)).toEqual([2]);
    expect(browser.pages.get(1)?.missed).toBe(1);
    browser.tabs.get(1)?.look();
    await pass(0);
    expect(browser.pages.get(1)?.missed, "it did not hear the second").toBe(2);
    await browser.say(made(3));
    expect(browser.names(1).at(-1)).toBe("decision");
  });

  it("all start over when events were missed", async () => {
    const browser = new Browser();
    for (const tab of [1, 2]) browser.open(tab);
    await pass(0);
    await browser.say(hello(true));
    await browser.say("event: reset\nid: 90\ndata: {}\n\n");
    expect([1, 2].map((tab) => browser.pages.get(tab)?.missed)).toEqual([1, 1]);
    browser.close(1);
    await pass(0);
    expect(browser.live[0]?.lastId).toBe("90");
  });
});

it("has a stream in each tab where a browser has no locks, or forbids them", async () => {
  const browser = new Browser();
  browser.open(1, null as unknown as undefined);
  browser.open(2, { request: () => Promise.reject(new Error("forbidden")) });
  await pass(0);
  expect(browser.live.map((stream) => stream.tab)).toEqual([1, 2]);
});

describe("the list of decisions", () => {
  it("keeps what was heard while it was read", async () => {
    const browser = new Browser();
    let arrive: (page: DecisionPage) => void = () => {};
    browser.read = () =>
      new Promise((resolve) => {
        arrive = resolve;
      });
    for (const tab of [1, 2]) browser.open(tab);
    await pass(0);
    await browser.say(hello(false) + made(5));
    await browser.say(made(6));
    arrive({ decisions: [decision("4", 4, "pod-4")], partial: false });
    await pass(0);
    for (const tab of [1, 2]) expect(browser.pages.get(tab)?.list.map((d) => d.id)).toEqual(["6", "5", "4"]);
  });

  it("is asked for again when it could not be read, and meanwhile says so", async () => {
    const browser = new Browser();
    browser.read = () => Promise.reject(new Error("the store does not answer"));
    for (const tab of [1, 2]) browser.open(tab);
    await pass(0);
    await browser.say(hello(false));
    for (const tab of [1, 2]) expect(browser.pages.get(tab)?.trouble?.message).toBe("the store does not answer");
    browser.read = async () => ({ decisions: [], partial: false });
    await pass(10_000);
    for (const tab of [1, 2]) expect(browser.pages.get(tab)?.trouble).toBeUndefined();
    expect(browser.reads).toBe(2);
  });

  it("is read again at once when a person in any tab asks", async () => {
    const browser = new Browser();
    browser.read = () => Promise.reject(new Error("the store does not answer"));
    for (const tab of [1, 2]) browser.open(tab);
    await pass(0);
    await browser.say(hello(false));
    browser.tabs.get(2)?.refresh();
    await pass(0);
    expect(browser.reads).toBe(2);
  });
});
