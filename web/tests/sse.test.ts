// The stream's text is read as the standard says, wherever it is cut.
import { describe, expect, it } from "vitest";
import { type Event, Parser } from "../src/live/sse";

function read(chunks: readonly string[]): { events: Event[]; parser: Parser } {
  const parser = new Parser();
  return { events: chunks.flatMap((chunk) => parser.feed(chunk)), parser };
}

// From the examples of the HTML standard, §9.2.6, and its rules about fields.
const VECTORS: [text: string, events: [string, string][], lastId: string | undefined][] = [
  ["data: YHOO\ndata: +2\ndata: 10\n\n", [["message", "YHOO\n+2\n10"]], undefined],
  [
    ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
    [
      ["message", "first event"],
      ["message", "second event"],
      ["message", " third event"],
    ],
    "",
  ],
  [
    "data\n\ndata\ndata\n\ndata:",
    [
      ["message", ""],
      ["message", "\n"],
    ],
    undefined,
  ],
  [
    "data:test\n\ndata: test\n\n",
    [
      ["message", "test"],
      ["message", "test"],
    ],
    undefined,
  ],
  ["event: reset\r\ndata: 1\r\nid: 7\r\n\r\n", [["reset", "1"]], "7"],
  ["\uFEFFevent: hello\rdata: 1\r\r", [["hello", "1"]], undefined],
  ["id: 3\n\n", [], "3"],
  ["id: 3\0\ndata: x\n\n", [["message", "x"]], undefined],
  ["event: lost\n\ndata: x\n\n", [["message", "x"]], undefined],
  ["unknown: x\ndata: y\n\n", [["message", "y"]], undefined],
];

describe("the parser", () => {
  it("reads the standard's examples", () => {
    for (const [text, events, lastId] of VECTORS) {
      const found = read([text]);
      expect(found.events.map((event) => [event.name, event.data])).toEqual(events);
      expect(found.parser.lastId).toBe(lastId);
    }
  });

  it("reads the same wherever the text is cut", () => {
    for (const [text] of VECTORS) {
      const whole = read([text]).events;
      for (let at = 0; at <= text.length; at++) {
        expect(read([text.slice(0, at), text.slice(at)]).events).toEqual(whole);
      }
      expect(read([...text]).events).toEqual(whole);
    }
  });

  it("goes on after the last event that was whole", () => {
    expect(read(["id: 1\ndata: a\n\nid: 2\ndata: b\n"]).parser.lastId).toBe("1");
  });

  it("hears how long the server asks to wait, if that is a number", () => {
    expect(read(["retry: 2000\n"]).parser.retry).toBe(2_000);
    expect(read(["retry: 2s\n"]).parser.retry).toBeUndefined();
  });
});
