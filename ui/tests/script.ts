/** A server that answers what the test says, without a socket, and the events that it says. */

import type { RequestOptions, Transport } from "../src/core/transport.ts";
import { ApiError, NetworkError } from "../src/core/transport.ts";
import type { StreamEvent, ThreadItem } from "../src/core/wire.ts";

// biome-ignore lint/suspicious/noExplicitAny: what a test sends may be anything
type Loose = any;

export interface Asked {
  type: string;
  params: Loose;
  key: string | undefined;
}

/** A response's body that the test writes while it is read. */
export class Live {
  readonly response: Response;
  isCancelled = false;
  #body!: ReadableStreamDefaultController<Uint8Array>;

  constructor() {
    const stream = new ReadableStream<Uint8Array>({
      start: (body) => {
        this.#body = body;
      },
      cancel: () => {
        this.isCancelled = true;
      },
    });
    this.response = new Response(stream);
  }

  say(text: string): this {
    this.#body.enqueue(new TextEncoder().encode(text));
    return this;
  }

  end(): this {
    this.#body.close();
    return this;
  }

  cut(): this {
    this.#body.error(new TypeError("network error"));
    return this;
  }
}

/** A body that says all of this and then ends, or breaks off. */
export function said(text: string, how: "end" | "cut" = "end"): Response {
  const live = new Live();
  if (text) live.say(text);
  if (how === "end") return live.end().response;
  // An error throws away what was not read yet, so it comes with the second pull.
  const chunks = text ? [new TextEncoder().encode(text)] : [];
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(body) {
        const chunk = chunks.shift();
        if (chunk) body.enqueue(chunk);
        else body.error(new TypeError("network error"));
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(stream);
}

export const frame = (n: number, event: unknown, run = "crun_1") =>
  `data: ${JSON.stringify(event)}\n\nid: ${run}:${n}\n\n`;
/** Frames of one run, numbered from 1 or `from`. */
export const frames = (events: readonly unknown[], from = 1, run = "crun_1") =>
  events.map((event, n) => frame(from + n, event, run)).join("");
/** As servers other than Chatdock write them. */
export const plain = (events: readonly unknown[]) =>
  events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");

type Reply = Response | Live | Error | object | ((asked: Asked) => Reply);

export class Server implements Transport {
  honoursKeys = true;
  readonly asked: Asked[] = [];
  /** What `threads.get_by_id` and `items.list` know. */
  readonly stored = new Map<string, { thread: Loose; items: ThreadItem[] }>();
  readonly #replies: [type: string, reply: Reply][] = [];

  owns(): boolean {
    return true;
  }

  /** Answers the next request of that type. */
  reply(type: string, ...replies: Reply[]): this {
    for (const reply of replies) this.#replies.push([type, reply]);
    return this;
  }

  store(id: string, items: ThreadItem[], thread: object = {}): this {
    this.stored.set(id, {
      thread: { id, created_at: "2026-01-01T00:00:00", status: { type: "active" }, ...thread },
      items,
    });
    return this;
  }

  types(): string[] {
    return this.asked.map(({ type }) => type);
  }

  of(type: string): Asked[] {
    return this.asked.filter((asked) => asked.type === type);
  }

  async call(type: string, params: Loose, options?: RequestOptions): Promise<Loose> {
    const reply = await this.#answer(type, params, options);
    options?.signal?.throwIfAborted();
    return structuredClone(reply);
  }

  async stream(type: string, params: Loose, options?: RequestOptions): Promise<Response> {
    const reply = await this.#answer(type, params, options);
    const response = reply instanceof Live ? reply.response : (reply as Response);
    options?.signal?.throwIfAborted();
    return response;
  }

  async upload(): Promise<Response> {
    throw new NetworkError("nothing is uploaded here");
  }

  async #answer(type: string, params: Loose, { signal, key }: RequestOptions = {}): Promise<Reply> {
    const asked = { type, params, key };
    this.asked.push(asked);
    const at = this.#replies.findIndex(([each]) => each === type);
    let reply = at < 0 ? this.#fromStore(type, params) : this.#replies.splice(at, 1)[0]![1];
    while (typeof reply === "function") reply = reply(asked);
    // The network takes its time, and a request can be aborted meanwhile.
    await tick();
    reply = await reply;
    signal?.throwIfAborted();
    if (reply instanceof Error) throw reply;
    return reply;
  }

  #fromStore(type: string, params: Loose): Reply {
    const found = this.stored.get(params.thread_id);
    if (type === "threads.cancel" || type === "items.feedback") return {};
    if (type !== "threads.get_by_id" && type !== "items.list") return new NetworkError(`nobody answers ${type}`);
    if (!found) return new ApiError(404, `No thread ${params.thread_id}`, "not_found");
    if (type === "threads.get_by_id") return { ...found.thread, items: { data: found.items.slice(0, 20) } };
    const items = params.order === "asc" ? found.items : found.items.toReversed();
    const start = params.after ? items.findIndex(({ id }) => id === params.after) + 1 : 0;
    const data = items.slice(start, start + params.limit);
    return { data, has_more: start + data.length < items.length };
  }
}

/** Lets everything run that can. */
export const tick = () => new Promise<void>((resolve) => setTimeout(resolve));

/** Waits for a state, not for a time. */
export async function until(check: () => unknown, what = String(check)): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!check()) {
    if (performance.now() > deadline) throw new Error(`did not come: ${what}`);
    await tick();
  }
}

// --- events ----------------------------------------------------------------------------------------------------------

export const T = "cthr_1";
export const thread = (rest: object = {}) => ({
  id: T,
  created_at: "2026-01-01T00:00:00",
  status: { type: "active" },
  ...rest,
});
export const user = (id: string, text = "Hi"): Loose => ({
  id,
  thread_id: T,
  type: "user_message",
  content: [{ type: "input_text", text }],
  attachments: [],
  inference_options: {},
});
export const assistant = (id: string, ...texts: string[]): Loose => ({
  id,
  thread_id: T,
  type: "assistant_message",
  content: texts.map((text) => ({ type: "output_text", text, annotations: [] })),
});
export const toolCall = (id: string, rest: object = {}): Loose => ({
  id,
  thread_id: T,
  type: "client_tool_call",
  status: "pending",
  call_id: `call_${id}`,
  name: "get_time",
  arguments: { zone: "UTC" },
  ...rest,
});
export const created = (rest: object = {}): Loose => ({ type: "thread.created", thread: thread(rest) });
export const added = (item: unknown): Loose => ({ type: "thread.item.added", item });
export const done = (item: unknown): Loose => ({ type: "thread.item.done", item });
export const replaced = (item: unknown): Loose => ({ type: "thread.item.replaced", item });
export const removed = (item_id: string): Loose => ({ type: "thread.item.removed", item_id });
export const updated = (item_id: string, type: string, rest: object): Loose => ({
  type: "thread.item.updated",
  item_id,
  update: { type, ...rest },
});
export const delta = (item_id: string, text: string, content_index = 0): Loose =>
  updated(item_id, "assistant_message.content_part.text_delta", { content_index, delta: text });

/** A turn that answers a message. */
export const answer = (userId: string, answerId: string, text: string): StreamEvent[] => [
  done(user(userId)),
  { type: "stream_options", stream_options: { allow_cancel: true } },
  added(assistant(answerId)),
  ...[...text].map((letter) => delta(answerId, letter)),
  done(assistant(answerId, text)),
];
