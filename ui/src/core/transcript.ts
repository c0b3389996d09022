/** What a thread looks like after an event. Pure: the same events give the same transcript, in a browser or in a test. */

import type { ClientToolCallItem, NoticeLevel, Thread, ThreadItem, ThreadMetadata, UserMessageItem } from "./wire.ts";

/** What the client shows between the server's items and no server stores. */
export type LocalEntry =
  | { type: "notice"; id: string; level: NoticeLevel; title?: string; message: string }
  | {
      type: "error";
      id: string;
      /** Shown as it is; without it the text of the code, in the reader's language. */
      message?: string;
      code?: string;
      retry: boolean;
    };

export type Entry = ThreadItem | LocalEntry;

/** A message that was sent and that the server has not confirmed yet has this id. There is at most one. */
export const PENDING_ID = "pending";

/**
 * Frozen; every change is a new object, and so is every entry that changed, so that views compare by identity.
 */
export interface Transcript {
  /** Null until the server has created or loaded the thread. */
  readonly thread: ThreadMetadata | null;
  /** In the order in which they are shown, unseen items left out. */
  readonly entries: readonly Entry[];
  /** Ids of items that are still being written. */
  readonly open: ReadonlySet<string>;
  readonly progress: { readonly text: string; readonly icon?: string } | null;
  /** Whether a turn is running, from the request on. */
  readonly running: boolean;
  readonly allowCancel: boolean;
  /** Whether the last turn was stopped before it was whole. */
  readonly stopped: boolean;
  /** The user message whose turn is being repeated, until the first event of that turn. */
  readonly retryFrom: string | null;
}

/** A conversation before its first message. */
export const emptyTranscript: Transcript = Object.freeze({
  thread: null,
  entries: Object.freeze([]),
  open: new Set<string>(),
  progress: null,
  running: false,
  allowCancel: true,
  stopped: false,
  retryFrom: null,
});

/** What happens here rather than on the server; goes through the same reducer. */
export type LocalEvent =
  /** A message is on its way. */
  | { type: "local.message_sent"; message: Omit<UserMessageItem, "id" | "type"> }
  /** It did not arrive. */
  | { type: "local.message_refused" }
  | { type: "local.turn_started"; retryFrom?: string }
  | { type: "local.turn_ended"; stopped?: boolean }
  /** Something that a reader should know went wrong on the way to the server. */
  | { type: "local.failed"; code: string; message?: string; retry: boolean }
  /** An error or notice was taken off the screen. */
  | { type: "local.dismissed"; id: string }
  /**
   * The thread and its newest items, oldest first. `since` is the transcript when they were asked for: what came or
   * went after that is newer than the page.
   */
  | { type: "local.page_loaded"; thread: Thread; items: readonly ThreadItem[]; hasMore: boolean; since: Transcript }
  /** The items before those that are shown, oldest first. */
  | { type: "local.older_loaded"; items: readonly ThreadItem[] };

/** Whether an entry is the server's: neither a note of this page nor a message that is still on its way. */
export function isStored(entry: Entry): entry is ThreadItem {
  return entry.type !== "notice" && entry.type !== "error" && entry.id !== PENDING_ID;
}

export function lastUserMessage({ entries }: Transcript): UserMessageItem | null {
  return (
    entries.findLast((entry): entry is UserMessageItem => entry.type === "user_message" && isStored(entry)) ?? null
  );
}

/** The client tool call that waits for this page: nothing was said after it. */
export function pendingToolCall({ entries }: Transcript): ClientToolCallItem | null {
  const newest = entries.findLast(
    ({ type }) => type === "client_tool_call" || type === "user_message" || type === "assistant_message",
  );
  return newest?.type === "client_tool_call" && newest.status === "pending" ? newest : null;
}
