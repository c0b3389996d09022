// The chat protocol: sessions that renew themselves, JSON operations, and turns that survive a cut connection.
import { readFrames } from "./sse.js";

const ENDS = new Set(["completed", "failed", "cancelled", "waiting"]);
const MAX_SENDS = 6; // of a request that was never answered; a turn that began is followed for ever
const RENEW_BEFORE_MS = 30_000;

/** What the server said instead of doing it. `status` is the HTTP status, `retryAfterMs` null or a wait it asked for. */
export class ApiError extends Error {
  constructor(status, body, retryAfterMs = null) {
    super(body?.error?.message || `The server answered ${status}.`);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }

  static async from(response) {
    const seconds = Number(response.headers.get("retry-after"));
    const body = await response.json().catch(() => null);
    return new ApiError(response.status, body, seconds > 0 ? seconds * 1000 : null);
  }
}

/** The run cannot be followed any more; what is stored is in the thread. */
export class RunGone extends Error {}

/** A key that makes a repeated request the same request. Works without a secure context too. */
export function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Half a second, doubled each time up to ten, less up to a quarter so that clients do not come back together. */
export function backoff(attempt, random = Math.random) {
  return Math.min(10_000, 500 * 2 ** (attempt - 1)) * (1 - random() / 4);
}

/** Resolves after `ms`, or as soon as the browser is online again; rejects when the signal aborts. */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const finish = (settle) => () => {
      clearTimeout(timer);
      globalThis.removeEventListener?.("online", wake);
      signal?.removeEventListener("abort", stop);
      settle(signal?.reason);
    };
    const wake = finish(resolve);
    const stop = finish(reject);
    const timer = setTimeout(wake, ms);
    globalThis.addEventListener?.("online", wake);
    signal?.addEventListener("abort", stop);
    if (signal?.aborted) stop();
  });
}

function sequenceOf(id) {
  const [, run, sequence] = /^(.*):(\d+)$/.exec(id) ?? [];
  return { run, sequence: Number(sequence) };
}

export class ConversationClient {
  #fetch;
  #pause;
  #session = null;
  #minting = null;
  #renewAt = Infinity;
  #workflow = null;

  constructor({ fetch = (...args) => globalThis.fetch(...args), pauseFor = pause } = {}) {
    this.#fetch = fetch;
    this.#pause = pauseFor;
  }

  /** Mints a session for a workflow, or for the server's default one: `{workflow, workflows, …}`. */
  open(workflow = null) {
    this.#workflow = workflow;
    this.#session = null;
    this.#minting = null;
    return this.#current();
  }

  /** A JSON operation. */
  async call(type, params, { signal } = {}) {
    const response = await this.#post(type, params, { signal });
    return response.json();
  }

  /**
   * Runs a streaming operation to its end and returns how it ended. `onEvent(event, id)` sees every event once, in
   * order; `onConnection(connected)` is told when the connection breaks and when it is back. Aborting stops following,
   * not the run; a request that is on its way is let through first, so that leaving a page loses no message.
   */
  async run(type, params, { signal, onEvent, onConnection = () => {}, key = newKey() }) {
    const connection = new AbortController();
    let begun = type === "threads.resume";
    const leave = () => begun && connection.abort(signal.reason);
    signal?.addEventListener("abort", leave);
    if (signal?.aborted) leave();

    // A snapshot is asked for as a whole again: its frames replace items, so seeing it twice is harmless.
    const isSnapshot = type === "threads.resume" && !params.starting_after;
    let request = { type, params };
    let threadId = params.thread_id ?? null;
    let lastId = "";
    let attempt = 0;
    try {
      for (;;) {
        let wait = null;
        try {
          const response = await this.#post(request.type, request.params, { signal: connection.signal, key });
          onConnection(true);
          const seen = sequenceOf(request.params.starting_after ?? "");
          for await (const frame of readFrames(response.body)) {
            if (frame.comment !== undefined) {
              if (ENDS.has(frame.comment)) return frame.comment;
              continue;
            }
            const at = sequenceOf(frame.id);
            if (seen.run && at.run === seen.run && at.sequence <= seen.sequence) continue;
            lastId = frame.id;
            attempt = 0;
            const event = parseEvent(frame.data);
            if (event) {
              threadId ??= event.thread?.id ?? event.item?.thread_id ?? null;
              onEvent(event, frame.id);
            }
            begun = true;
            if (signal?.aborted) leave();
          }
        } catch (error) {
          if (connection.signal.aborted) throw error;
          if (error instanceof ApiError) {
            if (begun && error.status === 404) throw new RunGone(error.message);
            const passing = error.status >= 500 || (begun && error.status === 429);
            if (!passing) throw error;
            wait = error.retryAfterMs;
          }
          if (!begun && attempt + 1 >= MAX_SENDS) throw error;
        }
        attempt += 1;
        if (begun && attempt > 3 && (await this.#isOver(threadId, connection.signal))) throw new RunGone("The run is over.");
        onConnection(false);
        await this.#pause(wait ?? backoff(attempt), connection.signal);
        if (lastId && threadId && !isSnapshot) {
          request = { type: "threads.resume", params: { thread_id: threadId, starting_after: lastId } };
        }
      }
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }

  /** Whether the server no longer has a live run for the thread; for a path on which the last comment never arrives. */
  async #isOver(threadId, signal) {
    try {
      return threadId !== null && !(await this.call("threads.get_by_id", { thread_id: threadId }, { signal })).active_run;
    } catch (error) {
      return error instanceof ApiError && error.status === 404;
    }
  }

  async #post(type, params, { signal, key } = {}) {
    for (let again = true; ; again = false) {
      const session = await this.#current();
      const headers = { authorization: `Bearer ${session.client_secret}`, "content-type": "application/json" };
      if (key && type !== "threads.resume") headers["idempotency-key"] = key;
      const body = JSON.stringify({ type, params });
      const response = await this.#fetch("/v1/chatkit/conversation", { method: "POST", headers, body, signal });
      if (response.ok) return response;
      const error = await ApiError.from(response);
      if (error.status !== 401 || !again) throw error;
      if (this.#session === session) this.#session = null;
    }
  }

  #current() {
    if (this.#session && Date.now() < this.#renewAt) return Promise.resolve(this.#session);
    const minting = (this.#minting ??= this.#mint().finally(() => {
      if (this.#minting === minting) this.#minting = null;
    }));
    return minting;
  }

  async #mint() {
    const workflow = this.#workflow;
    const response = await this.#fetch("/demo/session", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(workflow ? { workflow } : {}),
    });
    if (!response.ok) throw await ApiError.from(response);
    const session = await response.json();
    if (workflow !== this.#workflow) return session;
    this.#session = session;
    this.#renewAt = session.expires_at * 1000 - RENEW_BEFORE_MS;
    // With a clock that is far off every secret looks expired: then a 401 says when to renew.
    if (this.#renewAt <= Date.now()) this.#renewAt = Infinity;
    return session;
  }
}

function parseEvent(data) {
  try {
    const event = JSON.parse(data);
    return typeof event?.type === "string" ? event : null;
  } catch {
    return null;
  }
}
