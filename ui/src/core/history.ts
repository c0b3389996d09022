/** The list of the user's threads: pages, renaming, deleting, a filter over what was loaded. No framework and no DOM. */

import type { ThreadMetadata } from "./wire.ts";

/** Frozen, and a new object after every change. */
export interface HistoryState {
  /** Newest first, after the filter. */
  readonly threads: readonly ThreadMetadata[];
  readonly filter: string;
  /** Whether a first page has arrived. */
  readonly loaded: boolean;
  readonly loading: boolean;
  readonly hasMore: boolean;
  readonly error: Error | null;
}

export interface History {
  readonly state: HistoryState;
  subscribe(changed: (state: HistoryState) => void): () => void;
  /** The first page again; pages loaded after it stay. */
  refresh(): Promise<void>;
  loadMore(): Promise<void>;
  /** Reject with the reason; the list is then as it was. */
  rename(threadId: string, title: string): Promise<void>;
  remove(threadId: string): Promise<void>;
  setFilter(filter: string): void;
  /** A thread that was seen in a stream: new ones go to the front, known ones are updated in their place. */
  see(thread: ThreadMetadata): void;
}
