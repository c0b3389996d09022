/**
 * The conversation on the screen: which thread, what it holds, what is under way. No framework and no DOM.
 *
 * Views read `state`, subscribe to its changes and call the actions. Actions that the reader started never reject for
 * what a server or network does: the failure is in the state (an error entry with a retry) and goes to `onError`.
 */

import type { Transcript } from "./transcript.ts";
import type {
  Action,
  Attachment,
  InferenceOptions,
  StructuredInputSubmission,
  ThreadMetadata,
  UserMessageContent,
} from "./wire.ts";

export type Connection = "online" | "reconnecting" | "offline";

/** Frozen, and a new object after every change. */
export interface ConversationState extends Transcript {
  /** The thread that is open, also while it loads; null is a new conversation. */
  readonly threadId: string | null;
  readonly loading: boolean;
  /** Whether older items can be loaded, and whether they are being loaded. */
  readonly older: { readonly available: boolean; readonly loading: boolean };
  readonly connection: Connection;
  /** Verdicts given in this page, by item id. */
  readonly feedback: ReadonlyMap<string, "positive" | "negative">;
}

/** What goes out of the conversation to the page; the element turns it into events. */
export interface ConversationListener {
  changed(state: ConversationState): void;
  error(error: Error): void;
  effect(name: string, data: Record<string, unknown>): void;
  /** A streamed operation begins and ends; they always come in pairs. At the end the next one can begin. */
  responseStart(): void;
  responseEnd(): void;
  threadChange(threadId: string | null): void;
  loadStart(threadId: string): void;
  loadEnd(threadId: string): void;
  /** Diagnostics without user text, model output or callback data. */
  log(name: string, data?: Record<string, unknown>): void;
  /** A thread's title, status or existence became known or changed, whichever thread is open. */
  threadSeen(thread: ThreadMetadata): void;
}

/** The page's `onClientTool`, read when it is called. */
export type ClientTool = (call: { name: string; params: Record<string, unknown> }) => unknown;

/** What a message holds besides its content; `attachments` are whole, so that they show before the server confirms. */
export interface Outgoing {
  content: readonly UserMessageContent[];
  attachments?: readonly Attachment[];
  quotedText?: string;
  inferenceOptions?: InferenceOptions;
}

/**
 * The actions. `busy` (a turn runs or a thread loads) makes `send`, `act` of a streaming action, `retry` and
 * `answerInput` reject with `IntegrationError`; everything else is possible at any time.
 */
export interface Conversation {
  readonly state: ConversationState;
  readonly busy: boolean;
  /** Returns what ends the subscription. */
  subscribe(listener: Partial<ConversationListener>): () => void;

  /** Opens a thread or, with null, a new conversation; the run of the one that is left goes on. */
  open(threadId: string | null): Promise<void>;
  /** Loads one older page. */
  loadOlder(): Promise<void>;
  /** Reads the thread again; what is on the screen changes only where the server's differs. */
  refresh(): Promise<void>;

  /**
   * Sends a message. Resolves once it is stored (or refused: then it rejects with the reason and nothing stays on the
   * screen, so that the composer can give the text back). The turn goes on.
   */
  send(message: Outgoing, options?: { newThread?: boolean }): Promise<void>;
  /** Ends the running turn and keeps what was said. */
  stop(): Promise<void>;
  /** Answers a user message again; without an id the last one. */
  retry(itemId?: string): Promise<void>;
  rate(itemIds: readonly string[], kind: "positive" | "negative"): Promise<void>;
  /** Answers or skips a structured input. */
  answerInput(itemId: string, input: StructuredInputSubmission): Promise<void>;
  /** A widget action for the server. `streaming: false` is allowed while a turn runs. */
  act(action: Action, options?: { itemId?: string; streaming?: boolean }): Promise<void>;
  /** Takes an error or notice off the screen. */
  dismiss(entryId: string): void;
  /** Stops following and listening; the server's run goes on. */
  close(): void;
}

/** The page asked for something that cannot be done now, or that makes no sense. */
export class IntegrationError extends Error {
  override readonly name = "IntegrationError";
}
