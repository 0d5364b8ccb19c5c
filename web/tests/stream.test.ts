// The stream stays open, goes on where it was, and asks no more often than it may. Time is virtual.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { backoff } from "../src/live/backoff";
import type { Event } from "../src/live/sse";
import { type Link, SILENT, STALLED, Stream } from "../src/live/stream";

/** A seeded chance from 0 to 1 (mulberry32). */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Line = { at: number; lastId: string | undefined; write(text: string): void; end(): void; open: boolean };

/** A server that remembers who called, and answers as it is told. */
class Server {
  lines: Line[] = [];
  most = 0;
  answer: () => Response | Error | undefined = () => undefined;

  fetch = (async (_: string, init: RequestInit) => {
    const encoder = new TextEncoder();
    const headers = init.headers as Record<string, string>;
    let body: ReadableStreamDefaultController<Uint8Array> | undefined;
    const line: Line = {
      at: Date.now(),
      lastId: headers["last-event-id"],
      open: true,
      write: (text) => body?.enqueue(encoder.encode(text)),
      end: () => {
        if (line.open) body?.close();
        line.open = false;
      },
    };
    this.lines.push(line);
    const instead = this.answer();
    if (instead instanceof Error || instead) line.open = false;
    this.most = Math.max(this.most, this.lines.filter((one) => one.open).length);
    if (instead instanceof Error) throw instead;
    if (instead) return instead;
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        body = controller;
      },
    });
    init.signal?.addEventListener("abort", () => {
      if (line.open) body?.error(new DOMException("aborted", "AbortError"));
      line.open = false;
    });
    return new Response(stream, { headers: { "content-type": "text/event-stream" } });
  }) as unknown as typeof fetch;

  get line(): Line {
    const last = this.lines.at(-1);
    if (!last) throw new Error("nobody called");
    return last;
  }
}

const HELLO = 'event: hello\nid: 1\ndata: {"resumed":false}\n\n';

function page() {
  const server = new Server();
  const heard: Event[] = [];
  const links: Link[] = [];
  let alive = 0;
  const listener = {
    hear: (events: Event[]) => void heard.push(...events),
    alive: () => void alive++,
    tell: (link: Link) => void links.push(link),
  };
  const stream = new Stream(listener, undefined, { fetch: server.fetch, chance: chance(7) });
  const state = () => links.at(-1)?.state ?? "connecting";
  return { server, stream, heard, links, state, alive: () => alive };
}

const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("the stream", () => {
  it("goes on after the last event it heard", async () => {
    const { server, stream, heard, state } = page();
    stream.open();
    await pass(0);
    expect(server.line.lastId).toBeUndefined();
    server.line.write(HELLO);
    server.line.write("event: decision\nid: 5\ndata: {}\n\nevent: decision\nid: 6\ndata: {");
    await pass(0);
    expect([state(), heard.map((event) => event.name)]).toEqual(["live", ["hello", "decision"]]);
    server.line.end();
    await pass(0);
    expect(state()).toBe("away");
    await pass(2_000);
    expect(server.lines.map((line) => line.lastId)).toEqual([undefined, "5"]);
  });

  it("waits longer after each failure, from a second to a minute, and never as long as the others", async () => {
    const { server, stream } = page();
    server.answer = () => new TypeError("refused");
    stream.open();
    await pass(900_000);
    const waits = server.lines.slice(1).map((line, at) => line.at - (server.lines[at]?.at ?? 0));
    for (const [failures, wait] of waits.entries()) {
      const least = Math.min(30_000, 1_000 * 2 ** failures);
      expect(wait).toBeGreaterThanOrEqual(least);
      expect(wait).toBeLessThanOrEqual(least * 2);
    }
    expect(Math.max(...waits)).toBeGreaterThan(45_000);
    expect(new Set(waits).size).toBe(waits.length);
  });

  it("waits as long as the server asks, and no shorter", async () => {
    expect([backoff(0, 0, 2_000), backoff(0, 1, 2_000), backoff(1, 0, 2_000)]).toEqual([2_000, 4_000, 4_000]);
    expect([backoff(99, 0), backoff(99, 1), backoff(0, 0, 0)]).toEqual([30_000, 60_000, 1_000]);
    const { server, stream } = page();
    stream.open();
    await pass(0);
    server.line.write(`retry: 20000\n${HELLO}`);
    await pass(0);
    server.line.end();
    await pass(19_999);
    expect(server.lines).toHaveLength(1);
    await pass(20_001);
    expect(server.lines).toHaveLength(2);
  });

  it("starts anew with short waits after a stream that held, and only then", async () => {
    const { server, stream } = page();
    server.answer = () => new TypeError("refused");
    stream.open();
    await pass(40_000);
    server.answer = () => undefined;
    while (!server.line.open) await pass(1_000);
    const before = server.lines.length;
    server.line.write(HELLO);
    await pass(11_000);
    server.line.end();
    await pass(2_000);
    expect(server.lines).toHaveLength(before + 1);
  });

  it("asks at most 30 times a minute, even of a server that hangs up at once and of a network that comes and goes", async () => {
    const { server, stream } = page();
    stream.open();
    for (let second = 0; second < 600; second++) {
      if (server.line.open) {
        server.line.write(HELLO);
        await pass(0);
        server.line.end();
      }
      await pass(1_000);
      stream.hurry();
    }
    for (const { at } of server.lines) {
      expect(server.lines.filter((line) => line.at >= at && line.at < at + 60_000).length).toBeLessThanOrEqual(30);
    }
    expect(server.most).toBe(1);
  });

  it("is one at a time, whatever hurries it", async () => {
    const { server, stream } = page();
    server.answer = () => new TypeError("refused");
    stream.open();
    await pass(20_000);
    server.answer = () => undefined;
    stream.hurry();
    stream.hurry();
    await pass(120_000);
    stream.open();
    await pass(1);
    expect(server.most).toBe(1);
    expect(server.lines.filter((line) => line.open)).toHaveLength(1);
    stream.close();
    expect(server.lines.filter((line) => line.open)).toHaveLength(0);
    await pass(300_000);
    expect(server.lines.filter((line) => line.open)).toHaveLength(0);
  });

  it("takes a comment for a sign of life", async () => {
    const { server, stream, alive } = page();
    stream.open();
    await pass(0);
    server.line.write(HELLO);
    for (let quarter = 0; quarter < 20; quarter++) {
      await pass(15_000);
      server.line.write(":\n\n");
    }
    await pass(0);
    stream.hurry();
    expect([alive(), server.lines.length]).toEqual([20, 1]);
  });

  it("gives up a stream that fell silent: at once when somebody looks, by itself a little later", async () => {
    const { server, stream } = page();
    stream.open();
    await pass(0);
    server.line.write(HELLO);
    await pass(SILENT - 1_000);
    stream.hurry();
    expect(server.lines).toHaveLength(1);
    await pass(2_000);
    stream.hurry();
    await pass(0);
    expect([server.lines.length, server.most]).toEqual([2, 1]);
    server.line.write(HELLO);
    await pass(STALLED + 4_000);
    expect([server.lines.length, server.most]).toEqual([3, 1]);
  });

  it("stops when it is signed out, until somebody signs in", async () => {
    const { server, stream, state } = page();
    server.answer = () => Response.json({}, { status: 401 });
    stream.open();
    await pass(600_000);
    stream.hurry();
    await pass(0);
    expect([state(), server.lines.length]).toEqual(["signed-out", 1]);
    server.answer = () => undefined;
    stream.again();
    await pass(0);
    server.line.write(HELLO);
    await pass(0);
    expect([state(), server.lines.length]).toEqual(["live", 2]);
  });

  it("says why the server refuses, and since when", async () => {
    const { server, stream, links } = page();
    const error = {
      category: "unavailable",
      message: "64 browsers have the page open",
      fix: "Close it in one of them.",
    };
    server.answer = () => Response.json({ error }, { status: 503 });
    stream.open();
    await pass(30_000);
    expect(links).toHaveLength(1);
    expect(links[0]?.said).toBe("64 browsers have the page open. Close it in one of them.");
    expect(links[0]?.since).toBe(server.lines[0]?.at);
  });
});
