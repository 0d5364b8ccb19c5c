// One event stream that stays open: it goes on where it was, and gives a server that is away room to come back.
//
// Promises: never two at a time, the old one is closed first; a stream that fell silent is noticed, comments included,
// because the server says every 15 s that it lives; waits grow from 1 s to 60 s with jitter, and start anew only after a
// stream that held; signed out, it stops until somebody signs in.

import { backoff } from "./backoff";
import { type Event, Parser } from "./sse";

/** Silent for longer, a stream is not trusted when a person looks at the page again. */
export const SILENT = 30_000;
/** Silent for longer, it is dead: three signs of life are missing. */
export const STALLED = 45_000;
/** A stream that ends before it has lived this long counts as a failure, so that it is not asked for every second. */
export const STEADY = 10_000;
/** Events of the browser do not make it ask again sooner. */
export const SOONEST = 5_000;

/** Whether the page hears Keelson: `since` when, and what Keelson `said` when it refused. */
export type Link = { state: "connecting" | "live" | "away" | "signed-out"; since: number; said?: string };

export type Listener = {
  /** What arrived together, and the id to resume after it. */
  hear(events: Event[], lastId: string | undefined): void;
  /** The server lives, though it has nothing to say. */
  alive(): void;
  tell(link: Link): void;
};

type World = { fetch: typeof fetch; chance: () => number };

export class Stream {
  #listener: Listener;
  #world: World;
  #link: Link = { state: "connecting", since: Date.now() };
  #lastId: string | undefined;
  #attempt: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #retry: number | undefined;
  #heard = 0;
  #liveSince: number | undefined;

  constructor(
    listener: Listener,
    lastId?: string,
    world: World = { fetch: (...a) => fetch(...a), chance: Math.random },
  ) {
    this.#listener = listener;
    this.#lastId = lastId;
    this.#world = world;
  }

  open(): void {
    this.close();
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#note(attempt);
    this.#read(attempt).then(
      (refused) => this.#end(attempt, refused),
      () => this.#end(attempt, undefined),
    );
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#attempt?.abort();
    this.#attempt = undefined;
    this.#liveSince = undefined;
  }

  /** A person looks at the page again, or the network came back: waits no longer, and trusts no silence. */
  hurry(): void {
    if (this.#link.state === "signed-out") return;
    const silent = Date.now() - this.#heard;
    if (silent > SILENT || (!this.#attempt && silent > SOONEST)) this.open();
  }

  /** A person signed in again. */
  again(): void {
    if (this.#link.state === "signed-out") this.open();
  }

  async #read(attempt: AbortController): Promise<Refusal | undefined> {
    const { signal } = attempt;
    const resume = this.#lastId === undefined ? {} : { "last-event-id": this.#lastId };
    const headers = { accept: "text/event-stream", ...resume };
    const response = await this.#world.fetch("/api/v1/stream", { headers, signal, cache: "no-store" });
    if (!response.ok || !response.body) return refusal(response);
    const parser = new Parser(this.#lastId);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || signal.aborted) return undefined;
      const events = parser.feed(value);
      this.#retry = parser.retry ?? this.#retry;
      this.#note(attempt);
      if (events.length === 0) {
        this.#listener.alive();
        continue;
      }
      this.#liveSince ??= Date.now();
      this.#tell("live");
      this.#listener.hear(events, parser.lastId);
      // Only now: what could not be heard is asked for again.
      this.#lastId = parser.lastId;
    }
  }

  /** Something arrived, or was asked for: the time of silence starts here. */
  #note(attempt: AbortController): void {
    this.#heard = Date.now();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end(attempt, undefined), STALLED);
  }

  #end(attempt: AbortController, refused: Refusal | undefined): void {
    if (attempt !== this.#attempt) return;
    const held = this.#liveSince !== undefined && Date.now() - this.#liveSince >= STEADY;
    this.close();
    if (refused?.signedOut) {
      this.#tell("signed-out");
      return;
    }
    this.#tell("away", refused?.said);
    const failures = held ? 0 : this.#failures;
    this.#failures = failures + 1;
    this.#timer = setTimeout(() => this.open(), backoff(failures, this.#world.chance(), this.#retry));
  }

  #tell(state: Link["state"], said?: string): void {
    if (this.#link.state === state && this.#link.said === said) return;
    const since = this.#link.state === state ? this.#link.since : Date.now();
    this.#link = { state, since, ...(said ? { said } : {}) };
    this.#listener.tell(this.#link);
  }
}

type Refusal = { signedOut: boolean; said?: string };

/** What the server says when it does not open the stream: its sentence and its advice, where it has them. */
async function refusal(response: Response): Promise<Refusal> {
  const body: unknown = await response.json().catch(() => undefined);
  const error = (body as { error?: { message?: string; fix?: string } } | undefined)?.error;
  const said = [error?.message, error?.fix].filter(Boolean).join(". ") || `It answered ${response.status}`;
  return { signedOut: response.status === 401, said };
}
