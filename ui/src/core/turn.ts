/** One streaming operation, followed from its request to its end through whatever happens to the connection. */

import { backoff, type Pause, pause } from "./pause.ts";
import { readFrames } from "./sse.ts";
import { ApiError, ClientSecretError, NetworkError, type Transport } from "./transport.ts";
import type { Outcome, StreamEvent, StreamingOperations } from "./wire.ts";

/** Of a request that was never answered. A turn that has begun is followed for ever. */
const MAX_SENDS = 6;
/** A longer `Retry-After` of a request is the reader's to wait for. */
const LONGEST_WAIT_MS = 10_000;
/** Three of Chatdock's keep-alives; other servers may be silent while they work. */
const IDLE_MS = 45_000;
const IDLE_ELSEWHERE_MS = 600_000;
/** After so many tries that brought nothing, the server is asked whether there still is a run. */
const TRIES_BEFORE_DOUBT = 3;

const OUTCOMES = new Set<string>(["completed", "waiting", "failed", "cancelled"] satisfies Outcome[]);
const FRAME_ID = /^(crun_\w+):(\d+)$/;

/** `closed`: the body ended, which is all that servers other than Chatdock say. */
export type TurnEnd = Outcome | "closed" | "left" | "stopped";

/** It cannot be followed any more; what is stored is in the thread. */
export class TurnLost extends Error {
  override readonly name = "TurnLost";
}

export interface TurnOptions<T extends keyof StreamingOperations = keyof StreamingOperations> {
  transport: Transport;
  type: T;
  params: StreamingOperations[T];
  /** The `Idempotency-Key` of the request. */
  key?: string;
  /** Whether the server is known to be Chatdock, whose runs can be resumed and cancelled. */
  isChatdock?: boolean;
  /** Every event once, in order, with its frame's id, "" where the server gives none or has not given any yet. */
  onEvent(event: StreamEvent, frameId: string): void;
  /** A frame that holds no event. */
  onUnreadable?(): void;
  /** The connection broke, or is back. */
  onConnection?(connected: boolean): void;
  pause?: Pause;
}

export class Turn {
  readonly #options: TurnOptions;
  readonly #pause: Pause;
  readonly #connection = new AbortController();
  #threadId: string | null;
  /** The id that came last names the frames up to there; so many were read behind it, and so many of them come again. */
  #lastId = "";
  #behind = 0;
  #known = 0;
  #isChatdock: boolean;
  /** An answer has come. */
  #begun: boolean;
  /** A request is out, or its answer is being read. */
  #asking = false;
  #leaving = false;
  /** To be stopped as soon as it has begun. */
  #stopping = false;

  constructor(options: TurnOptions) {
    this.#options = options;
    this.#pause = options.pause ?? pause;
    this.#threadId = "thread_id" in options.params ? options.params.thread_id : null;
    this.#begun = options.type === "threads.resume";
    this.#isChatdock = this.#begun || options.isChatdock === true || options.transport.honoursKeys;
  }

  /** Null until it is known. */
  get threadId(): string | null {
    return this.#threadId;
  }

  /** Learned from its frames. */
  get isChatdock(): boolean {
    return this.#isChatdock;
  }

  /**
   * Resolves to how it ended. Rejects with `TurnLost`, or with the `ApiError` or `NetworkError` that kept it from
   * happening at all.
   */
  async run(): Promise<TurnEnd> {
    for (let tries = 0; ; ) {
      const place = this.#place();
      let wait: number | null = null;
      try {
        this.#asking = true;
        const end = await this.#follow();
        if (end) return end;
      } catch (error) {
        if (this.#connection.signal.aborted) return this.#leaving ? "left" : "stopped";
        wait = this.#waitAfter(error, tries);
      } finally {
        this.#asking = false;
      }
      tries = this.#place() === place ? tries + 1 : 1;
      if (this.#begun && tries > TRIES_BEFORE_DOUBT && (await this.#isOver())) throw new TurnLost("The run is over.");
      if (this.#connection.signal.aborted) return this.#leaving ? "left" : "stopped";
      this.#options.onConnection?.(false);
      try {
        await this.#pause(wait ?? backoff(tries), this.#connection.signal);
      } catch {
        return this.#leaving ? "left" : "stopped";
      }
    }
  }

  /**
   * Follows no longer; the server's run goes on. A request on its way is let through first. A server other than
   * Chatdock ends its answer with the connection, so there the rest is read, and `onEvent` still called.
   */
  leave(): void {
    this.#leaving = true;
    if (this.#begun && this.#isChatdock) this.#connection.abort();
  }

  /** Ends the turn; its end comes the way of `run()`. Rejects as the request to the server does. */
  async stop(): Promise<void> {
    if (this.#begun && this.#isChatdock && this.#threadId) await this.#cancel(this.#threadId);
    // A request that may have arrived, and whose run can be cancelled, is waited for.
    else if (this.#asking && this.#isChatdock) this.#stopping = true;
    else this.#connection.abort();
  }

  /** One connection; null when it broke off and the turn can be taken up again. */
  async #follow(): Promise<TurnEnd | null> {
    const { transport, key, onConnection } = this.#options;
    const { type, params } = this.#request();
    const isSnapshot = type === "threads.resume" && !("starting_after" in params);
    if (isSnapshot) this.#behind = 0;
    this.#known = this.#behind;
    const { signal } = this.#connection;
    const response = await transport.stream(type, params, { signal, key });
    onConnection?.(true);
    // Also where the page's own fetch does not heed the signal.
    const body = response.body?.pipeThrough(new TransformStream<Uint8Array, Uint8Array>(), { signal });
    const idleMs = this.#isChatdock ? IDLE_MS : IDLE_ELSEWHERE_MS;
    try {
      for await (const frame of body ? readFrames(body, { idleMs }) : []) {
        if ("comment" in frame) {
          if (OUTCOMES.has(frame.comment)) {
            this.#isChatdock = true;
            return frame.comment as Outcome;
          }
        } else if ("id" in frame) {
          this.#mark(frame.id);
        } else {
          this.#take(frame.data);
        }
        this.#heed();
      }
    } catch (error) {
      if (signal.aborted || this.#canGoOn()) throw error;
      throw new TurnLost("The answer broke off.", { cause: error });
    }
    if (!this.#canGoOn()) return "closed";
    if (!this.#begun) throw new NetworkError("The server answered with nothing.");
    return null;
  }

  /** What is asked for now: the operation, or after a cut what was missed of its run. */
  #request(): Pick<TurnOptions, "type" | "params"> {
    if (!this.#lastId || !this.#threadId) return this.#options;
    return { type: "threads.resume", params: { thread_id: this.#threadId, starting_after: this.#lastId } };
  }

  /** Whether the turn can be taken up again where it broke off, or the request sent again as the same request. */
  #canGoOn(): boolean {
    return this.#lastId !== "" || this.#options.type === "threads.resume" || this.#options.transport.honoursKeys;
  }

  #mark(id: string): void {
    if (!FRAME_ID.test(id)) return;
    this.#isChatdock = true;
    this.#lastId = id;
    this.#behind = this.#known;
  }

  #take(data: string): void {
    if (this.#known > 0) {
      this.#known -= 1;
      return;
    }
    this.#behind += 1;
    const event = parse(data);
    if (!event) {
      this.#options.onUnreadable?.();
      return;
    }
    this.#threadId ??= threadIdOf(event);
    this.#options.onEvent(event, this.#frameId());
  }

  /** How far the stream was read. */
  #place(): string {
    return `${this.#lastId} ${this.#behind}`;
  }

  /** Of the frame that was read last: a run's frames are numbered without gaps. */
  #frameId(): string {
    const [, run, last] = FRAME_ID.exec(this.#lastId) ?? [];
    return run ? `${run}:${Number(last) + this.#behind}` : "";
  }

  /** Does what was asked for before the server had answered. */
  #heed(): void {
    this.#begun = true;
    if (this.#stopping) {
      this.#stopping = false;
      this.stop().catch(() => this.#connection.abort());
    }
    if (this.#leaving) this.leave();
  }

  async #cancel(threadId: string): Promise<void> {
    await this.#options.transport.call("threads.cancel", { thread_id: threadId });
  }

  /** How long to wait before the next try, null for the usual time; throws when there is none. */
  #waitAfter(error: unknown, tries: number): number | null {
    if (error instanceof TurnLost) throw error;
    const refusal = error instanceof ApiError ? error : null;
    if (!refusal && !(error instanceof NetworkError)) throw error;
    // A success that holds no stream is somebody's page on the way, such as a login.
    const isPassing = !refusal || refusal.status < 400 || refusal.status >= 500 || refusal.status === 429;
    if (this.#begun) {
      if (isPassing) return refusal?.retryAfterMs ?? null;
      // The run is gone, or is not what we take it for; a 401 is the reader's to know.
      if (refusal.status === 401 || refusal.status === 403) throw error;
      throw new TurnLost(refusal.message, { cause: error });
    }
    // The reader is told at once: a page that hands out no secret seldom does so a moment later.
    if (error instanceof ClientSecretError) throw error;
    // A 429 was refused before anything was done, so anybody may send it again.
    const isSafe = refusal?.status === 429 ? refusal.retryAfterMs !== null : this.#options.transport.honoursKeys;
    const isSoon = (refusal?.retryAfterMs ?? 0) <= LONGEST_WAIT_MS;
    if (!isSafe || !isPassing || !isSoon || this.#stopping || tries + 1 >= MAX_SENDS) throw error;
    return refusal?.retryAfterMs ?? null;
  }

  /** Whether the server has no live run of the thread; for a path on which the last comment never arrives. */
  async #isOver(): Promise<boolean> {
    if (!this.#threadId) return false;
    try {
      const { signal } = this.#connection;
      const thread = await this.#options.transport.call("threads.get_by_id", { thread_id: this.#threadId }, { signal });
      return !thread.active_run;
    } catch (error) {
      return error instanceof ApiError && error.status === 404;
    }
  }
}

function parse(data: string): StreamEvent | null {
  try {
    const event: unknown = JSON.parse(data);
    const isEvent = typeof event === "object" && event !== null && "type" in event && typeof event.type === "string";
    return isEvent ? (event as StreamEvent) : null;
  } catch {
    return null;
  }
}

function threadIdOf(event: StreamEvent): string | null {
  const id = "thread" in event ? event.thread?.id : "item" in event ? event.item?.thread_id : null;
  return typeof id === "string" ? id : null;
}
