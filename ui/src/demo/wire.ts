/** Listens in on the page's requests to the chat server, without changing what they do. */

import { SseParser } from "../core/sse.ts";

export interface Sighting {
  readonly time: Date;
  readonly direction: "sent" | "received";
  /** The operation, the event's type, or what else it was. */
  readonly type: string;
  readonly failed: boolean;
  readonly body: unknown;
}

/** From now on, `seen` is told of each request to this server's chat endpoints and of all that comes back. */
export function tapFetch(seen: (sighting: Sighting) => void): void {
  const fetch = window.fetch;
  const tell = (direction: Sighting["direction"], type: string, body: unknown, failed = false) =>
    seen({ time: new Date(), direction, type, body, failed });

  window.fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input, location.href);
    if (url.origin !== location.origin || !/^\/(v1\/chatkit|demo\/session)/.test(url.pathname))
      return fetch(input, init);
    const sent = typeof init?.body === "string" ? parse(init.body) : undefined;
    const operation = typeOf(sent) ?? `${init?.method ?? "GET"} ${url.pathname}`;
    tell("sent", operation, sent);
    let response: Response;
    try {
      response = await fetch(input, init);
    } catch (error) {
      tell("received", `${operation}: ${nameOf(error)}`, String(error), true);
      throw error;
    }
    if (response.ok && response.body && response.headers.get("content-type")?.startsWith("text/event-stream")) {
      const parser = new SseParser();
      return passing(response, response.body, (bytes) => {
        for (const frame of parser.push(bytes)) {
          if ("comment" in frame) tell("received", `: ${frame.comment}`, undefined);
          else if ("data" in frame) {
            const event = parse(frame.data);
            tell("received", typeOf(event) ?? "?", event, typeOf(event) === "error");
          }
        }
      });
    }
    const copy = response.clone();
    void copy.text().then(
      (text) => tell("received", `${response.status} ${operation}`, parse(text), !response.ok),
      (error) => tell("received", `${operation}: ${nameOf(error)}`, String(error), true),
    );
    return response;
  };
}

/** The same response, whose bytes are seen as its reader takes them. Cancelling it cancels the original. */
function passing(response: Response, body: ReadableStream<Uint8Array>, see: (bytes: Uint8Array) => void): Response {
  const watched = body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(bytes, controller) {
        see(bytes);
        controller.enqueue(bytes);
      },
    }),
  );
  const { status, statusText, headers } = response;
  return Object.defineProperty(new Response(watched, { status, statusText, headers }), "url", { value: response.url });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** `thread.item.updated` says too little without the type of the update. */
function typeOf(message: unknown): string | undefined {
  const { type, update } = Object(message) as { type?: unknown; update?: { type?: unknown } };
  if (typeof type !== "string") return undefined;
  return typeof update?.type === "string" ? update.type : type;
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "Error";
}
