/** The reducer: a transcript and an event give the next transcript. */

import { isObject, isUnseen, readItem, readItems, readThread } from "./item.ts";
import { mergePage } from "./page.ts";
import { type Entry, type LocalEntry, type LocalEvent, PENDING_ID, type Transcript } from "./transcript.ts";
import { updateItem } from "./update.ts";
import type { StreamEvent, ThreadItem } from "./wire.ts";

/** A local entry before it has an id. */
type Note = LocalEntry extends infer E ? (E extends LocalEntry ? Omit<E, "id"> : never) : never;

/**
 * Null when the event is malformed, unknown, or about something that is not there: the transcript then stays as it is.
 * `frameId` is the SSE id of the frame that carried it, so that a notice or an error that is replayed shows once.
 */
export function reduce(transcript: Transcript, event: StreamEvent | LocalEvent, frameId = ""): Transcript | null {
  if (!isObject(event) || typeof event.type !== "string") return null;
  // Servers delete what a repeated turn replaces without saying so.
  const state = event.type.startsWith("local.") ? transcript : withoutReplacedTurn(transcript);
  const next = step(state, event, frameId);
  return next === null || next === transcript ? next : Object.freeze(next);
}

function step(state: Transcript, event: StreamEvent | LocalEvent, frameId: string): Transcript | null {
  switch (event.type) {
    case "thread.created":
    case "thread.updated":
      return withThread(state, event.thread);
    case "thread.item.added":
      return withItem(state, event.item, "open");
    case "thread.item.done":
    case "thread.item.replaced":
      return withItem(state, event.item, "closed");
    case "thread.item.removed":
      return typeof event.item_id === "string" ? without(close(state, event.item_id), event.item_id) : null;
    case "thread.item.updated":
      return withUpdate(state, event.item_id, event.update);
    case "stream_options":
      if (!isObject(event.stream_options)) return null;
      return { ...state, allowCancel: event.stream_options.allow_cancel !== false };
    case "progress_update":
      if (typeof event.text !== "string") return null;
      return { ...state, progress: event.icon ? { text: event.text, icon: event.icon } : { text: event.text } };
    case "client_effect":
      return typeof event.name === "string" ? state : null; // the page's business
    case "notice":
      if (typeof event.message !== "string") return null;
      return withNote(
        state,
        { type: "notice", level: event.level, message: event.message, ...text("title", event.title) },
        frameId,
      );
    case "error":
      return withNote(
        { ...state, progress: null },
        {
          type: "error",
          ...text("code", event.code),
          ...text("message", event.message),
          retry: event.allow_retry === true,
        },
        frameId,
      );

    case "local.message_sent":
      return append(without(state, PENDING_ID), { ...event.message, type: "user_message", id: PENDING_ID });
    case "local.message_refused":
      return without(state, PENDING_ID);
    case "local.turn_started":
      return {
        ...state,
        entries: state.entries.filter((entry) => entry.type !== "error"),
        running: true,
        allowCancel: true,
        stopped: false,
        progress: null,
        retryFrom: event.retryFrom ?? null,
      };
    case "local.turn_ended":
      return {
        ...state,
        running: false,
        stopped: event.stopped === true,
        open: new Set(),
        progress: null,
        retryFrom: null,
      };
    case "local.failed":
      return withNote(
        state,
        { type: "error", code: event.code, ...text("message", event.message), retry: event.retry },
        "",
      );
    case "local.dismissed":
      return without(state, event.id);
    case "local.page_loaded": {
      const items = shown(event.items);
      const entries = Object.freeze(mergePage(state, event.since, items, event.hasMore));
      // What is stored is finished.
      const stored = new Set(items.map(({ id }) => id));
      const open = new Set([...state.open].filter((id) => !stored.has(id)));
      return withThread({ ...state, entries, open }, { ...event.thread, items: undefined });
    }
    case "local.older_loaded": {
      const known = new Set(state.entries.map(({ id }) => id));
      const older = shown(event.items).filter(({ id }) => !known.has(id));
      return { ...state, entries: Object.freeze([...older, ...state.entries]) };
    }
    default:
      return null;
  }
}

/** The member when it is a text that says something: servers leave null members out or send them. */
function text<K extends string>(name: K, value: unknown): { [name in K]?: string } {
  return typeof value === "string" && value !== "" ? ({ [name]: value } as { [name in K]?: string }) : {};
}

function shown(items: readonly unknown[]): ThreadItem[] {
  return readItems(items).filter((item) => !isUnseen(item));
}

function withThread(state: Transcript, value: unknown): Transcript | null {
  const thread = readThread(value);
  if (thread === null || (state.thread !== null && state.thread.id !== thread.id)) return null;
  // As a whole: servers leave out what is null, so a member that is missing has been taken away.
  const { items, active_run: _, ...metadata } = thread;
  return readItems(items?.data).reduce<Transcript>(put, { ...state, thread: Object.freeze(metadata) });
}

function withItem(state: Transcript, value: unknown, how: "open" | "closed"): Transcript | null {
  const item = readItem(value);
  if (item === null) return null;
  if (isUnseen(item)) return state;
  return put(how === "open" ? open(state, item.id) : close(state, item.id), item);
}

/** Inserts or, by id, replaces. The server's user message takes the place of the one that was on its way. */
function put(state: Transcript, item: ThreadItem): Transcript {
  if (isUnseen(item)) return state;
  let at = indexOf(state, item.id);
  if (at < 0 && item.type === "user_message") at = indexOf(state, PENDING_ID);
  if (at >= 0) return replace(state, at, item);
  return append(item.type === "assistant_message" ? { ...state, progress: null } : state, item);
}

function withUpdate(state: Transcript, id: unknown, update: unknown): Transcript | null {
  const at = indexOf(state, id);
  const entry = state.entries[at];
  if (!entry || !isObject(update)) return null;
  const updated = updateItem(entry as ThreadItem, update);
  return updated && replace(state, at, updated);
}

function open(state: Transcript, id: string): Transcript {
  return { ...state, open: new Set(state.open).add(id) };
}

function close(state: Transcript, id: string): Transcript {
  if (!state.open.has(id)) return state;
  return { ...state, open: new Set([...state.open].filter((other) => other !== id)) };
}

function without(state: Transcript, id: string): Transcript {
  const entries = state.entries.filter((entry) => entry.id !== id);
  return entries.length === state.entries.length ? state : { ...state, entries: Object.freeze(entries) };
}

function withoutReplacedTurn(state: Transcript): Transcript {
  if (state.retryFrom === null) return state;
  const at = indexOf(state, state.retryFrom);
  const entries = at < 0 ? state.entries : Object.freeze(state.entries.slice(0, at + 1));
  return { ...state, entries, open: new Set(), retryFrom: null };
}

function withNote(state: Transcript, note: Note, frameId: string): Transcript {
  const taken = new Set(state.entries.map(({ id }) => id));
  if (frameId && taken.has(`note:${frameId}`)) return state;
  let id = frameId || state.entries.length;
  while (taken.has(`note:${id}`)) id = Number(id) + 1;
  return append(state, { ...note, id: `note:${id}` } as LocalEntry);
}

function append(state: Transcript, entry: Entry): Transcript {
  return { ...state, entries: Object.freeze([...state.entries, Object.freeze(entry)]) };
}

function replace(state: Transcript, at: number, entry: Entry): Transcript {
  const entries = state.entries.slice();
  entries[at] = Object.freeze(entry);
  return { ...state, entries: Object.freeze(entries) };
}

/** From the end, where nearly all that changes stands. */
function indexOf(state: Transcript, id: unknown): number {
  return state.entries.findLastIndex((entry) => entry.id === id);
}
