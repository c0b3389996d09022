/** The history at work. */

import type { History, HistoryState } from "./history.ts";
import { readThread } from "./item.ts";
import type { Transport } from "./transport.ts";
import type { Page, Thread, ThreadMetadata } from "./wire.ts";

const PAGE = 20;

/** An empty list; `transport` is read at every request. */
export function createHistory({ transport }: { transport(): Transport }): History {
  return new OpenHistory(transport);
}

class OpenHistory implements History {
  readonly #transport: () => Transport;
  readonly #listeners = new Set<(state: HistoryState) => void>();
  /** Newest first, without the filter. */
  #threads: readonly ThreadMetadata[] = [];
  /** What to ask for the next page with. */
  #cursor: string | undefined;
  #refreshing: Promise<void> | null = null;
  #loadingMore: Promise<void> | null = null;
  /** Threads that were deleted here: a page that was asked for before does not bring them back. */
  readonly #deleted = new Set<string>();
  #state: HistoryState = Object.freeze({
    threads: [],
    filter: "",
    loaded: false,
    loading: false,
    hasMore: false,
    error: null,
  });

  constructor(transport: () => Transport) {
    this.#transport = transport;
  }

  get state(): HistoryState {
    return this.#state;
  }

  subscribe(changed: (state: HistoryState) => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  refresh(): Promise<void> {
    this.#refreshing ??= this.#load(undefined).finally(() => {
      this.#refreshing = null;
      this.#set({});
    });
    return this.#refreshing;
  }

  async loadMore(): Promise<void> {
    if (this.#loadingMore) return this.#loadingMore;
    if (!this.#state.hasMore || this.#cursor === undefined) return;
    this.#loadingMore = this.#load(this.#cursor).finally(() => {
      this.#loadingMore = null;
      this.#set({});
    });
    await this.#loadingMore;
  }

  async rename(threadId: string, title: string): Promise<void> {
    const before = this.#threads.find(({ id }) => id === threadId)?.title;
    this.#update(threadId, { title });
    try {
      await this.#transport().call("threads.update", { thread_id: threadId, title });
    } catch (error) {
      // Unless it has been named again meanwhile.
      const now = this.#threads.find(({ id }) => id === threadId)?.title;
      if (now === title) this.#update(threadId, { title: before ?? null });
      throw error;
    }
  }

  async remove(threadId: string): Promise<void> {
    await this.#transport().call("threads.delete", { thread_id: threadId });
    this.#deleted.add(threadId);
    this.#set(
      {},
      this.#threads.filter(({ id }) => id !== threadId),
    );
  }

  setFilter(filter: string): void {
    this.#set({ filter });
  }

  see(thread: ThreadMetadata): void {
    if (this.#deleted.has(thread.id)) return;
    const isKnown = this.#threads.some(({ id }) => id === thread.id);
    if (isKnown)
      this.#set(
        {},
        this.#threads.map((other) => (other.id === thread.id ? thread : other)),
      );
    else this.#set({}, this.#withNew(thread));
  }

  /** A thread that is not in the list: in front, unless it belongs to a page that was not loaded yet. */
  #withNew(thread: ThreadMetadata): readonly ThreadMetadata[] {
    const oldest = this.#threads.at(-1)?.created_at;
    const isFurtherBack = this.#state.hasMore && !!oldest && !!thread.created_at && thread.created_at < oldest;
    return isFurtherBack ? this.#threads : [thread, ...this.#threads];
  }

  async #load(after: string | undefined): Promise<void> {
    const since = this.#threads;
    this.#set({ loading: true });
    try {
      const params = { limit: PAGE, order: "desc" as const, ...(after !== undefined && { after }) };
      this.#take(await this.#transport().call("threads.list", params), after, since);
    } catch (error) {
      this.#set({ error: error instanceof Error ? error : new Error(String(error)) });
    }
  }

  /** `since` is what was known when the page was asked for: what came or changed after that is newer than the page. */
  #take(page: Page<Thread>, after: string | undefined, since: readonly ThreadMetadata[]): void {
    const read = (Array.isArray(page.data) ? page.data : []).map(readThread).filter((thread) => thread !== null);
    const [before, now] = [byId(since), byId(this.#threads)];
    const found = read
      .filter(({ id }) => !this.#deleted.has(id))
      .map((thread) => (now.get(thread.id) === before.get(thread.id) ? metadataOf(thread) : now.get(thread.id)!));
    const fresh = new Set(found.map(({ id }) => id));
    const others = this.#threads.filter(({ id }) => !fresh.has(id));
    const hasMore = page.has_more === true;
    const isFirst = after === undefined;
    const change: { -readonly [K in keyof HistoryState]?: HistoryState[K] } = { loaded: true, error: null };
    // The first page read again leaves the pages after it where they are.
    if (!isFirst || !this.#state.loaded || !hasMore) {
      const cursor = page.after ?? read.at(-1)?.id;
      // A server that does not know `after` would send the same page for ever.
      change.hasMore = hasMore && cursor !== undefined && cursor !== after;
      this.#cursor = cursor;
    }
    if (!isFirst) {
      this.#set(change, [...others, ...found]);
      return;
    }
    // What the first page should hold and does not is gone.
    const end = hasMore ? this.#threads.findLastIndex(({ id }) => fresh.has(id)) : this.#threads.length;
    const later = new Set(this.#threads.slice(end + 1));
    const seen = others.filter(({ id }) => !before.has(id));
    // Before the first page only single threads were seen, and nothing of what lies between.
    const kept = others.filter((thread) => this.#state.loaded && later.has(thread) && before.has(thread.id));
    this.#set(change, [...seen, ...found, ...kept]);
  }

  #update(threadId: string, change: Partial<ThreadMetadata>): void {
    this.#set(
      {},
      this.#threads.map((thread) => (thread.id === threadId ? { ...thread, ...change } : thread)),
    );
  }

  #set(change: Partial<HistoryState>, threads = this.#threads): void {
    this.#threads = threads;
    const filter = plain(change.filter ?? this.#state.filter);
    this.#state = Object.freeze({
      ...this.#state,
      loading: this.#refreshing !== null || this.#loadingMore !== null,
      ...change,
      threads: Object.freeze(filter ? threads.filter(({ title }) => plain(title ?? "").includes(filter)) : threads),
    });
    for (const changed of [...this.#listeners]) changed(this.#state);
  }
}

function byId(threads: readonly ThreadMetadata[]): ReadonlyMap<string, ThreadMetadata> {
  return new Map(threads.map((thread) => [thread.id, thread]));
}

function metadataOf({ items: _, active_run: __, ...thread }: Thread): ThreadMetadata {
  return thread;
}

/** Without case and accents. */
function plain(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().trim();
}
