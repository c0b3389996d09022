/** The state that views see, and those who are told when it changes. */

import type { ConversationListener, ConversationState } from "./conversation.ts";
import { reduce } from "./reduce.ts";
import { emptyTranscript, type LocalEvent, type Transcript } from "./transcript.ts";
import type { StreamEvent, Thread } from "./wire.ts";

/** What the state holds beside the transcript. */
type Surroundings = Omit<ConversationState, keyof Transcript>;

export class Stage {
  readonly #listeners = new Set<Partial<ConversationListener>>();
  readonly #isOnline: () => boolean;
  #isConnected = true;
  #transcript = emptyTranscript;
  #around: Surroundings;
  #state: ConversationState;

  constructor(isOnline: () => boolean) {
    this.#isOnline = isOnline;
    this.#around = {
      threadId: null,
      loading: false,
      older: { available: false, loading: false },
      connection: this.#connection(),
      feedback: new Map(),
    };
    this.#state = Object.freeze({ ...this.#transcript, ...this.#around });
    for (const name of ["online", "offline"]) globalThis.addEventListener?.(name, this.#watch);
  }

  get state(): ConversationState {
    return this.#state;
  }

  get transcript(): Transcript {
    return this.#transcript;
  }

  subscribe(listener: Partial<ConversationListener>): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit<N extends keyof ConversationListener>(name: N, ...told: Parameters<ConversationListener[N]>): void {
    for (const listener of [...this.#listeners]) {
      (listener[name] as ((...told: unknown[]) => void) | undefined)?.(...told);
    }
  }

  /** False when the event was skipped. */
  dispatch(event: StreamEvent | LocalEvent, frameId = ""): boolean {
    const next = reduce(this.#transcript, event, frameId);
    if (next === null) return false;
    if (next === this.#transcript) return true;
    this.#transcript = next;
    this.#move(next.thread?.id ?? this.#state.threadId, {});
    return true;
  }

  set(change: Partial<Surroundings>): void {
    this.#around = { ...this.#around, ...change };
    this.#state = Object.freeze({ ...this.#transcript, ...this.#around });
    this.emit("changed", this.#state);
  }

  /** Clears it for another thread, or for a new conversation. */
  clear(threadId: string | null): void {
    this.#transcript = emptyTranscript;
    this.#isConnected = true;
    this.#move(threadId, {
      loading: threadId !== null,
      older: { available: false, loading: false },
      connection: this.#connection(),
    });
  }

  /** The connection of the turn that is followed. */
  connect(isConnected: boolean): void {
    this.#isConnected = isConnected;
    this.#watch();
  }

  seeThread({ items: _, active_run: __, ...thread }: Thread): void {
    this.emit("threadSeen", thread);
  }

  close(): void {
    for (const name of ["online", "offline"]) globalThis.removeEventListener?.(name, this.#watch);
  }

  #move(threadId: string | null, change: Partial<Surroundings>): void {
    const isOther = threadId !== this.#state.threadId;
    this.set({ ...change, threadId });
    if (isOther) this.emit("threadChange", threadId);
  }

  #connection(): ConversationState["connection"] {
    if (!this.#isOnline()) return "offline";
    return this.#isConnected ? "online" : "reconnecting";
  }

  readonly #watch = (): void => {
    const connection = this.#connection();
    if (connection !== this.#state.connection) this.set({ connection });
  };
}
