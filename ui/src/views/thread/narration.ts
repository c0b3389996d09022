/** What a screen reader hears of a conversation: a message was sent, the answer as it grows, its end. */

import type { ConversationState } from "../../core/conversation.ts";
import { PENDING_ID, pendingToolCall } from "../../core/transcript.ts";
import type { Context } from "../context.ts";
import { Narrator } from "./narrator.ts";

export class Narration {
  readonly #context: Context;
  readonly #narrator: Narrator;
  readonly #spoken: (text: string, streaming: boolean) => string;
  #before: ConversationState;
  #isTold = false;
  /** The turn ended with a call of the page's tool, whose own turn and the one after it are part of the answer. */
  #goesOn = false;
  /** What was there when the turn began, and is no part of it unless it is still being written. */
  #known: ReadonlySet<string> = new Set();
  readonly #own = new Set<string>();

  /** `spoken` gives what Markdown says. */
  constructor(context: Context, spoken: (text: string, streaming: boolean) => string) {
    this.#context = context;
    this.#spoken = spoken;
    this.#before = context.conversation.state;
    this.#narrator = new Narrator((text) => context.announce(text));
  }

  changed(state: ConversationState): void {
    const before = this.#before;
    this.#before = state;
    if (before.threadId !== state.threadId && (state.loading || state.threadId === null)) {
      this.#narrator.stop();
      this.#goesOn = false;
    }
    const pending = state.entries.at(-1)?.id === PENDING_ID;
    if (before.entries.at(-1)?.id === PENDING_ID && !pending && state.running) {
      this.#context.announce(this.#context.words.t("message.sent"));
    }
    if (!before.running && state.running && !(this.#goesOn && pendingToolCall(before))) {
      if (this.#goesOn) this.#end(state);
      this.#goesOn = false;
      this.#isTold = false;
      this.#known = new Set(before.entries.map(({ id }) => id));
      this.#own.clear();
    }
    if (state.running && !pending) this.#tell(state);
    if (before.running && !state.running) {
      this.#goesOn = pendingToolCall(state) !== null && !state.stopped;
      if (!this.#goesOn) this.#end(state);
    }
  }

  destroy(): void {
    this.#narrator.stop();
  }

  #tell(state: ConversationState): void {
    if (!this.#isTold) {
      this.#isTold = true;
      this.#narrator.begin(this.#context.words.t("answer.responding"));
    }
    // What is new before something known is from an older page.
    const known = state.entries.findLastIndex(({ id }) => this.#known.has(id));
    state.entries.forEach(({ id, type }, n) => {
      if (type === "assistant_message" && (state.open.has(id) || n > known)) this.#own.add(id);
    });
    if (this.#own.size > 0) this.#narrator.progress(() => this.#texts());
  }

  #end(state: ConversationState): void {
    // What was not said yet is this answer's, also when the next has begun.
    const texts = this.#texts();
    this.#narrator.progress(() => texts);
    // An error says of itself that the answer is over.
    const failed = state.entries.at(-1)?.type === "error";
    if (failed) this.#narrator.end("");
    else this.#narrator.end(this.#context.words.t(state.stopped ? "answer.stopped" : "answer.finished"));
  }

  /** By item and part, in the order of the thread. */
  #texts(): ReadonlyMap<string, string> {
    const { entries, open } = this.#before;
    const texts = new Map<string, string>();
    for (const entry of entries) {
      if (entry.type !== "assistant_message" || !this.#own.has(entry.id)) continue;
      for (const [n, { text }] of entry.content.entries())
        texts.set(`${entry.id}/${n}`, this.#spoken(text, open.has(entry.id)));
    }
    return texts;
  }
}
