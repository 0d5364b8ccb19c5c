// Reads a text/event-stream as the HTML standard tells it (§9.2.6), wherever the chunks are cut.
//
// The browser's own EventSource hides comments, so that nobody can tell a quiet stream from a dead one, and it picks its
// own time to come back. Reading is the easy half of it.

export type Event = { name: string; data: string };

export class Parser {
  /** The id of the last event that was complete: where to go on after a break. */
  lastId: string | undefined;
  /** How long the server asks to wait before coming back, in milliseconds. */
  retry: number | undefined;

  #rest = "";
  #first = true;
  #cutAtReturn = false;
  #name = "";
  #data: string[] = [];
  #id: string | undefined;

  constructor(lastId?: string) {
    this.lastId = lastId;
    this.#id = lastId;
  }

  /** The events that this text completes. */
  feed(text: string): Event[] {
    if (text === "") return [];
    let fresh = text;
    if (this.#first && fresh.startsWith("\uFEFF")) fresh = fresh.slice(1);
    // A return at the end of the last chunk and a line feed at the start of this one are one end of line.
    if (this.#cutAtReturn && fresh.startsWith("\n")) fresh = fresh.slice(1);
    this.#first = false;
    this.#cutAtReturn = text.endsWith("\r");
    const lines = (this.#rest + fresh).split(/\r\n|\n|\r/);
    this.#rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.#line(line) ?? []);
  }

  #line(line: string): Event | undefined {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return undefined;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#name = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
    return undefined;
  }

  #dispatch(): Event | undefined {
    const event = { name: this.#name || "message", data: this.#data.join("\n") };
    const empty = this.#data.length === 0;
    this.lastId = this.#id;
    this.#name = "";
    this.#data = [];
    return empty ? undefined : event;
  }
}
