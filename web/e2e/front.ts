// A server between the page and Keelson: it passes on, counts, breaks the line, or tells a story of its own.
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export class Front {
  readonly url: string;
  /** What was asked for, in order. */
  readonly asked: { path: string; lastId: string | undefined }[] = [];
  #server: Server;
  #sockets = new Set<Socket>();
  #answers = new Map<string, Answer>();
  #told = new Set<ServerResponse>();
  #down = false;
  #tries = 0;
  #said = 0;

  /** In front of the Keelson at `behind`, on a port of its own. */
  static async of(behind: string): Promise<Front> {
    const server = createServer();
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    return new Front(server, new URL(behind));
  }

  private constructor(server: Server, behind: URL) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("connection", (socket) => {
      this.#tries += Number(this.#down);
      if (this.#down) return socket.destroy();
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    server.on("request", (incoming, response) => {
      const path = new URL(incoming.url ?? "/", behind).pathname;
      this.asked.push({ path, lastId: lastEvent(incoming) });
      (this.#answers.get(path) ?? passOn(behind))(incoming, response);
    });
  }

  /** How often a path was asked for. */
  count = (path: string): number => this.asked.filter((one) => one.path === path).length;

  /** How many listen to its own stream. */
  get listeners(): number {
    return this.#told.size;
  }

  /** How often somebody came while it was down. */
  get tries(): number {
    return this.#tries;
  }

  /** Says that it lives, as the server does every 15 s. */
  beat(): void {
    for (const response of this.#told) response.write(":\n\n");
  }

  /** Answers a path itself. */
  answer(path: string, answer: Answer): void {
    this.#answers.set(path, answer);
  }

  /** Passes a path on again. */
  passOn(path: string): void {
    this.#answers.delete(path);
  }

  json(path: string, body: unknown, status = 200): void {
    this.answer(path, (_, response) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body)),
    );
  }

  /** Tells its own stream: what each page hears first; `say` tells more. */
  tell(first: (lastId: string | undefined) => [name: string, data: unknown][]): void {
    this.answer("/api/v1/stream", (incoming, response) => {
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      for (const [name, data] of first(lastEvent(incoming))) response.write(this.#block(name, data));
      this.#told.add(response);
      response.on("close", () => this.#told.delete(response));
    });
  }

  say(name: string, data: unknown): void {
    this.sayAll([[name, data]]);
  }

  /** Several at once, as the server tells what happened within a tenth of a second. */
  sayAll(said: [name: string, data: unknown][]): void {
    const blocks = said.map(([name, data]) => this.#block(name, data)).join("");
    for (const response of this.#told) response.write(blocks);
  }

  #block(name: string, data: unknown): string {
    this.#said += 1;
    return `event: ${name}\nid: ${this.#said}\ndata: ${JSON.stringify(data)}\n\n`;
  }

  /** Breaks every connection, and takes none. */
  cut(): void {
    this.#down = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#down = false;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((closed) => this.#server.close(closed));
  }
}

const lastEvent = (incoming: IncomingMessage): string | undefined => {
  const id = incoming.headers["last-event-id"];
  return typeof id === "string" ? id : undefined;
};

const passOn =
  (behind: URL): Answer =>
  (incoming, response) => {
    const { host: _, ...headers } = incoming.headers;
    const onward = request(
      { host: behind.hostname, port: behind.port, path: incoming.url, method: incoming.method, headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    incoming.pipe(onward);
  };
