/** What every view gets: the page's options, the conversation, words, and a way to be drawn again. */

import type { Conversation } from "../core/conversation.ts";
import type { History } from "../core/history.ts";
import type { Options, UploadStrategy } from "../core/options.ts";
import type { Transport } from "../core/transport.ts";
import type { Words } from "../locales/words.ts";

export interface Context {
  /** The options in force; read when needed, never kept: `setOptions` replaces them. */
  readonly options: Options;
  readonly conversation: Conversation;
  readonly history: History;
  readonly transport: Transport;
  /** How files get to the server; null where it takes none. */
  readonly uploadStrategy: UploadStrategy | null;
  readonly words: Words;
  /** The shadow root, for focus and geometry. */
  readonly root: ShadowRoot;
  /** Draw again in the next frame. Cheap to call often. */
  update(): void;
  /** Says something to a screen reader, politely unless `assertive`. */
  announce(text: string, assertive?: boolean): void;
  /** A short message that goes away by itself: what went wrong with what the reader just did, or that it worked. */
  toast(text: string, kind?: "info" | "error"): void;
  /** Calls the page's code: what it throws or rejects with becomes `chatkit.error`, and the result undefined. */
  callPage<T>(what: string, call: () => T | Promise<T>): Promise<T | undefined>;
  /** Dispatches `chatkit.*` events on the element. */
  emit(name: string, detail?: unknown): void;
  /** `chatkit.log`: a name and data without user text, model output or callback data. */
  log(name: string, data?: Record<string, unknown>): void;
  /** `chatkit.error` */
  error(error: Error): void;
}
