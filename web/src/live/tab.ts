// One stream for all tabs of a browser: the leading tab holds it and tells the others what it hears.
//
// A browser opens about six connections to a host, so seven tabs with a stream each could not load an eighth page. A tab
// that joins asks the leader for everything it knows; when the leader closes, the next one goes on after the last event.
//
// Promises: one stream a browser; a tab hears every event once it was told everything, in order; a leader that no longer
// answers is replaced; what is heard while the list of decisions is read is not overwritten by it.

import type { Decision, DecisionPage } from "../api/types";
import { backoff } from "./backoff";
import { elect, type Locks } from "./leader";
import { type Change, caughtUp } from "./list";
import type { Event } from "./sse";
import { isChange, type Known, type Said, type Trouble } from "./state";
import { type Link, SILENT, Stream } from "./stream";

/** How long a leader may take to answer before another takes its place, in milliseconds. */
export const PATIENCE = 10_000;

type Word =
  | { kind: "ask"; from: number; fresh: boolean }
  | { kind: "again" | "refresh" }
  | { kind: "leading" | "alive" | "missed" }
  | { kind: "all"; to: number; known: Known; lastId: string | undefined }
  | { kind: "said"; said: Said[]; lastId: string | undefined }
  | { kind: "link"; link: Link }
  | { kind: "read"; read: readonly Decision[] | Trouble };

/** What the tab shows, and what it can tell another. */
export type Page = {
  hear(said: readonly Said[]): void;
  learn(read: readonly Decision[] | Trouble): void;
  setLink(link: Link): void;
  take(known: Known): void;
  known(): Known;
  /** Events were missed: everything that was asked for is old. */
  missed(): void;
};

export type World = {
  channel: Pick<BroadcastChannel, "postMessage" | "onmessage"> | undefined;
  locks: Locks | undefined;
  fetch: typeof fetch;
  read(): Promise<DecisionPage>;
  chance(): number;
  visible(): boolean;
};

export class Tab {
  #page: Page;
  #world: World;
  #me: number;
  #election: { steal(): void };
  #stream: Stream | undefined;
  #lastId: string | undefined;
  /** Whether this tab was told everything, so that it can follow. */
  #told = false;
  #heard = Date.now();
  #patience: ReturnType<typeof setTimeout> | undefined;
  #reading = 0;
  /** What was heard while the list is on its way. */
  #since: Change[] | undefined;
  #failures = 0;
  #rereading: ReturnType<typeof setTimeout> | undefined;

  constructor(page: Page, world: World) {
    this.#page = page;
    this.#world = world;
    this.#me = world.chance();
    const { channel } = world;
    if (channel) channel.onmessage = (event) => this.#listen(event.data as Word);
    this.#election = elect(
      "keelson-stream",
      channel && world.locks,
      () => this.#lead(),
      () => this.#resign(),
    );
    if (!this.#stream) this.#ask(true);
  }

  /** A person looks at this tab again, or the network came back. */
  look(): void {
    if (this.#stream) this.#stream.hurry();
    else if (!this.#told || Date.now() - this.#heard > SILENT) this.#ask(false);
  }

  /** A person signed in again. */
  again(): void {
    if (this.#stream) this.#stream.again();
    else this.#say({ kind: "again" });
  }

  /** A person wants the list that could not be read. */
  refresh(): void {
    if (this.#stream) void this.#read();
    else this.#say({ kind: "refresh" });
  }

  #say(word: Word): void {
    this.#world.channel?.postMessage(word);
  }

  #ask(fresh: boolean): void {
    this.#say({ kind: "ask", from: this.#me, fresh });
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => {
      if (!this.#stream && this.#world.visible()) this.#election.steal();
    }, PATIENCE);
  }

  #lead(): void {
    clearTimeout(this.#patience);
    const tell = (link: Link) => {
      this.#page.setLink(link);
      this.#say({ kind: "link", link });
    };
    this.#stream = new Stream(
      {
        hear: (events, lastId) => this.#pass(events, lastId),
        alive: () => this.#say({ kind: "alive" }),
        tell,
      },
      this.#lastId,
      this.#world,
    );
    this.#say({ kind: "leading" });
    this.#stream.open();
  }

  #resign(): void {
    this.#stream?.close();
    this.#stream = undefined;
    clearTimeout(this.#rereading);
    this.#reading += 1;
    this.#told = false;
    this.#ask(false);
  }

  /** Tells this tab and the others what the stream said. */
  #pass(events: readonly Event[], lastId: string | undefined): void {
    const said = events.map(read);
    const over = said.some((one) => one.name === "reset" || (one.name === "hello" && !resumed(one)));
    const greeted = said.some((one) => one.name === "hello");
    if (over) {
      this.#page.missed();
      this.#say({ kind: "missed" });
    }
    if (over || (greeted && !this.#page.known().recentKnown)) void this.#read();
    this.#since?.push(...said.filter(isChange));
    this.#lastId = lastId;
    this.#page.hear(said);
    this.#say({ kind: "said", said, lastId });
  }

  async #read(): Promise<void> {
    clearTimeout(this.#rereading);
    this.#reading += 1;
    const mine = this.#reading;
    const since: Change[] = [];
    this.#since = since;
    const found = await this.#world.read().then(
      (page) => ({ page }),
      (error: unknown) => ({ trouble: trouble(error) }),
    );
    if (mine !== this.#reading) return;
    const learned = "page" in found ? caughtUp(found.page.decisions, since) : found.trouble;
    this.#since = undefined;
    this.#page.learn(learned);
    this.#say({ kind: "read", read: learned });
    this.#failures = "page" in found ? 0 : this.#failures + 1;
    if (this.#failures > 0) {
      const wait = backoff(this.#failures, this.#world.chance());
      this.#rereading = setTimeout(() => void this.#read(), wait);
    }
  }

  #listen(word: Word): void {
    switch (word.kind) {
      case "ask":
        if (!this.#stream) return;
        if (word.fresh) this.#stream.again();
        this.#stream.hurry();
        this.#say({ kind: "all", to: word.from, known: this.#page.known(), lastId: this.#lastId });
        return;
      case "again":
        this.#stream?.again();
        return;
      case "refresh":
        if (this.#stream) void this.#read();
        return;
      default:
        if (!this.#stream) this.#follow(word);
    }
  }

  #follow(word: Exclude<Word, { kind: "ask" | "again" | "refresh" }>): void {
    this.#heard = Date.now();
    clearTimeout(this.#patience);
    if (word.kind === "all" && word.to === this.#me) {
      // What was said since this tab last heard anything, nobody told it.
      if (this.#lastId !== undefined && this.#lastId !== word.lastId) this.#page.missed();
      this.#told = true;
      this.#lastId = word.lastId;
      this.#page.take(word.known);
    } else if (word.kind === "leading") {
      if (!this.#told) this.#ask(false);
    } else if (this.#told) {
      if (word.kind === "link") this.#page.setLink(word.link);
      else if (word.kind === "read") this.#page.learn(word.read);
      else if (word.kind === "missed") this.#page.missed();
      else if (word.kind === "said") {
        this.#lastId = word.lastId;
        this.#page.hear(word.said);
      }
    }
  }
}

/** What cannot be read is as good as missed. */
function read(event: Event): Said {
  try {
    return { name: event.name, data: JSON.parse(event.data) as unknown };
  } catch {
    return { name: "reset", data: undefined };
  }
}

const resumed = (hello: Said): boolean => (hello.data as { resumed: boolean }).resumed;

function trouble(error: unknown): Trouble {
  const message = error instanceof Error ? error.message : String(error);
  const fix = error instanceof Error && "fix" in error ? String(error.fix) : "";
  return { message, fix };
}
