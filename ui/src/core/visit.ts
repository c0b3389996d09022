/** The time during which one thread, or one new conversation, is open. What comes in later touches nothing. */

import type { ClientTool } from "./conversation.ts";
import type { Exclusively } from "./exclusive.ts";
import { failureOf } from "./failure.ts";
import { readItems, readThread } from "./item.ts";
import type { Pause } from "./pause.ts";
import type { Stage } from "./stage.ts";
import { isStored, type LocalEvent, type Transcript } from "./transcript.ts";
import { ApiError, type Transport } from "./transport.ts";
import type { StreamEvent, Thread } from "./wire.ts";

const PAGE = 30;

/** What a conversation works with. */
export interface Means {
  transport(): Transport;
  onClientTool(): ClientTool | undefined;
  pause: Pause;
  exclusively: Exclusively;
  /** Servers that turned out to be Chatdock. */
  chatdocks: WeakSet<Transport>;
}

export class Visit {
  readonly stage: Stage;
  readonly means: Means;
  readonly #leaving = new AbortController();
  /** Aborts when it is over. */
  readonly signal = this.#leaving.signal;
  #reading: Promise<Thread | null> | null = null;
  #nextReading: Promise<Thread | null> | null = null;
  /** What to ask for older items with. */
  #cursor: string | undefined;
  /** What the retry of an error entry does, if it is not to answer the last message again. */
  #again: { entryId: string; run(): Promise<void> } | null = null;

  constructor(stage: Stage, means: Means) {
    this.stage = stage;
    this.means = means;
  }

  get isOver(): boolean {
    return this.signal.aborted;
  }

  get transport(): Transport {
    return this.means.transport();
  }

  get transcript(): Transcript {
    return this.stage.transcript;
  }

  end(): void {
    this.#leaving.abort();
  }

  /** False when the event was skipped. */
  dispatch(event: StreamEvent | LocalEvent, frameId = ""): boolean {
    return this.isOver || this.stage.dispatch(event, frameId);
  }

  // --- failures ------------------------------------------------------------------------------------------------------

  /** Tells the page, and the reader by an entry; its retry does `again`, or answers the last message again. */
  tell(error: unknown, { again, ...failure }: { code?: string; again?: () => Promise<void> } = {}): void {
    this.dispatch({ type: "local.failed", ...failureOf(error), ...failure, retry: true });
    const entry = this.transcript.entries.at(-1);
    if (again && entry && !this.isOver) this.#again = { entryId: entry.id, run: again };
    this.report(error);
  }

  /** Tells the page alone. */
  report(error: unknown): void {
    this.stage.emit("error", error instanceof Error ? error : new Error(String(error)));
  }

  /** What the newest error's retry does; it goes off the screen. */
  takeAgain(): (() => Promise<void>) | null {
    const again = this.#again;
    this.#again = null;
    if (!again || !this.transcript.entries.some(({ id }) => id === again.entryId)) return null;
    this.dispatch({ type: "local.dismissed", id: again.entryId });
    return again.run;
  }

  // --- reading -------------------------------------------------------------------------------------------------------

  /**
   * One reading of the thread at a time. Whoever asks meanwhile wants to know what is new by now, so that is read once
   * more, for all of them.
   */
  reading(read: () => Promise<Thread | null>): Promise<Thread | null> {
    if (this.#reading) {
      this.#nextReading ??= this.#reading.then(() => {
        this.#nextReading = null;
        return this.reading(read);
      });
      return this.#nextReading;
    }
    this.#reading = read().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  /** Brings the transcript up to date with the thread and its newest items. */
  async read(): Promise<Thread> {
    const thread_id = this.stage.state.threadId!;
    const since = this.transcript;
    const { signal } = this;
    // In this order: a run that ends in between is in the items.
    const thread = readThread(await this.transport.call("threads.get_by_id", { thread_id }, { signal }));
    if (thread?.id !== thread_id) throw new ApiError(502, "The server sent another thread, or none.");
    // Not the items that came with the thread: those are its oldest.
    const page = await this.transport.call("items.list", { thread_id, limit: PAGE, order: "desc" }, { signal });
    this.signal.throwIfAborted();
    const items = readItems(page.data).reverse();
    const hasMore = page.has_more === true;
    this.dispatch({ type: "local.page_loaded", thread, items, hasMore, since });
    const first = this.transcript.entries.find(isStored);
    // Older pages that stayed go on from where they were.
    if (!hasMore || !first || items.some(({ id }) => id === first.id)) {
      this.#cursor = page.after ?? items[0]?.id;
      this.#setOlder(hasMore && this.#cursor !== undefined, this.stage.state.older.loading);
    }
    this.stage.seeThread(thread);
    return thread;
  }

  async readOlder(): Promise<void> {
    const { threadId, older } = this.stage.state;
    if (threadId === null || !older.available || older.loading) return;
    this.#setOlder(true, true);
    const after = this.#cursor;
    let hasMore = true;
    try {
      const page = await this.transport.call(
        "items.list",
        { thread_id: threadId, limit: PAGE, order: "desc", ...(after !== undefined && { after }) },
        { signal: this.signal },
      );
      const items = readItems(page.data);
      const cursor = page.after ?? items.at(-1)?.id;
      // A server that does not know `after` would send the same page for ever.
      hasMore = page.has_more === true && cursor !== undefined && cursor !== after;
      this.#cursor = cursor;
      this.dispatch({ type: "local.older_loaded", items: items.reverse() });
    } catch (error) {
      if (!this.isOver) this.report(error);
    }
    this.#setOlder(hasMore, false);
  }

  #setOlder(available: boolean, loading: boolean): void {
    if (!this.isOver) this.stage.set({ older: { available, loading } });
  }
}
