/** The thread: its turns in a log that scrolls, older ones on demand, and what is going on at its end. */

import { html, nothing, type TemplateResult } from "lit";
import { guard } from "lit/directives/guard.js";
import { repeat } from "lit/directives/repeat.js";
import type { ConversationState } from "../../core/conversation.ts";
import { type Entry, PENDING_ID } from "../../core/transcript.ts";
import type { Context } from "../context.ts";
import { icon } from "../icon.ts";
import { textOf } from "../widgets/tree.ts";
import { widgetPreview } from "../widgets/widget.ts";
import { entryView } from "./entry.ts";
import { Narration } from "./narration.ts";
import { Preview } from "./preview.ts";
import { Prose } from "./prose.ts";
import { Reply } from "./reply.ts";
import type { Mark, Scope } from "./scope.ts";
import { Scroll } from "./scroll.ts";
import { turnActions } from "./turn_actions.ts";
import { type Turn, turnsOf } from "./turns.ts";

export interface ThreadHooks {
  /** The reader wants to reply to this text of an answer. */
  quote(text: string): void;
}

/** So many turns at the end are always laid out: what they hold still changes. */
const LIVE_TURNS = 2;

export class ThreadView implements Scope {
  readonly context: Context;
  readonly prose: Prose;
  readonly preview: Preview;
  readonly #reply: Reply;
  readonly #scroll: Scroll;
  readonly #narration: Narration;
  readonly #unsubscribe: () => void;
  /** A new map after every change. */
  #marks: ReadonlyMap<string, Mark> = new Map();
  #before: ConversationState;
  /** What messages that were sent here are drawn under, so that one stays the same when the server gives it its id. */
  readonly #sentAs = new Map<string, string>();
  #sent = 0;
  /** What turns are drawn under whose message came with an older page. */
  readonly #begunAs = new Map<string, string>();
  /** What had the focus before the drawing that is under way. */
  #focused: Element | null = null;
  /** The last turn was begun here: it has room below it, so that its message can be at the top. */
  #hasRoom = false;

  constructor(context: Context, hooks: ThreadHooks) {
    this.context = context;
    this.prose = new Prose(context);
    this.preview = new Preview(context, (node) => widgetPreview(this, node));
    this.#reply = new Reply(context, hooks.quote);
    this.#scroll = new Scroll(context);
    this.#narration = new Narration(context, (text, streaming) => this.prose.spoken(text, streaming));
    this.#before = context.conversation.state;
    this.#scroll.goTo("end");
    this.#unsubscribe = context.conversation.subscribe({ changed: (state) => this.#changed(state) });
  }

  destroy(): void {
    this.#unsubscribe();
    this.#narration.destroy();
    this.#reply.destroy();
    this.#scroll.destroy();
    this.preview.destroy();
  }

  scrollToEnd(): void {
    this.#scroll.toEnd();
  }

  mark(id: string): Mark | undefined {
    return this.#marks.get(id);
  }

  setMark(id: string, change: Mark): void {
    this.#marks = new Map(this.#marks).set(id, { ...this.#marks.get(id), ...change });
    this.context.update();
  }

  render(): TemplateResult {
    const { words, conversation } = this.context;
    const { state } = conversation;
    const turns = turnsOf(state);
    const look = this.#look(state);
    this.#focused = this.context.root.activeElement;
    return html`<div
      class="thread"
      @pointerover=${this.preview.over}
      @pointerleave=${this.preview.over}
      @focusin=${this.preview.focused}
      @focusout=${this.preview.focused}
      @click=${this.preview.clicked}
    >
      <div
        class="thread-scroller"
        part="message-list"
        role="log"
        tabindex="0"
        aria-label=${words.t("thread.messages")}
        aria-live="off"
        aria-busy=${state.loading || state.running ? "true" : nothing}
        @scroll=${this.#scroll.scrolled}
        @wheel=${{ handleEvent: this.#scroll.moved, passive: true }}
        @touchmove=${{ handleEvent: this.#scroll.moved, passive: true }}
        @pointerdown=${this.#scroll.moved}
        @keydown=${this.#scroll.moved}
      >
        <div class="thread-column">
          ${this.#older(state)}
          ${repeat(
            turns,
            ({ key }) => this.#begunAs.get(key) ?? this.#keyOf(key),
            (turn, n) => this.#turn(state, turn, turns.length - 1 - n, look),
          )}
          <div class="thread-end"></div>
        </div>
      </div>
      ${
        this.#scroll.isAtEnd || turns.length === 0
          ? nothing
          : html`<button
            type="button"
            class="thread-latest ck-icon-button"
            part="jump-button"
            aria-label=${words.t("thread.latest")}
            title=${words.t("thread.latest")}
            @click=${this.#jump}
          >${icon("arrow-down")}</button>`
      }
      ${this.preview.render()}
    </div>`;
  }

  afterRender(): void {
    this.#scroll.afterRender(this.context.root);
    this.#reply.afterRender();
    this.preview.afterRender();
    this.#keepFocus();
  }

  readonly #jump = (): void => {
    this.#scroll.toEnd();
    this.#focusLog();
  };

  #focusLog(): void {
    this.context.root.querySelector<HTMLElement>(".thread-scroller")?.focus({ preventScroll: true });
  }

  /** What went away with the focus, such as a button that was pressed, leaves it to the log. */
  #keepFocus(): void {
    const focused = this.#focused;
    this.#focused = null;
    if (focused && !focused.isConnected && !this.context.root.activeElement) this.#focusLog();
  }

  #changed(state: ConversationState): void {
    const before = this.#before;
    this.#before = state;
    this.#narration.changed(state);
    const isOther = state.threadId !== before.threadId && (state.loading || state.threadId === null);
    if (isOther) {
      this.#hasRoom = false;
      this.#marks = new Map();
      this.prose.reset();
      this.preview.reset();
    }
    if (isOther || (before.loading && !state.loading)) this.#scroll.goTo("end");
    else if (before.older.loading && state.entries[0]?.id !== before.entries[0]?.id) {
      this.#scroll.keep();
      this.#keepFirst(before, state);
    }
    if (isPending(before) && !isPending(state)) {
      const stored = state.entries.findLast(({ type }) => type === "user_message");
      if (stored && !before.entries.some(({ id }) => id === stored.id))
        this.#sentAs.set(stored.id, this.#keyOf(PENDING_ID));
      this.#sent++;
    }
    const isSent = isPending(state) && !isPending(before);
    if (isSent || (state.retryFrom !== null && state.retryFrom !== before.retryFrom)) {
      this.#hasRoom = true;
      this.#scroll.goTo("turn");
    }
  }

  /** The first turn may go on upwards: it stays the same on the screen. */
  #keepFirst(before: ConversationState, state: ConversationState): void {
    const first = turnsOf(before)[0];
    const now = first && turnsOf(state).find(({ answer }) => answer.some(({ id }) => id === first.key));
    if (now && now.key !== first.key) this.#begunAs.set(now.key, this.#begunAs.get(first.key) ?? first.key);
  }

  #keyOf(id: string): string {
    return id === PENDING_ID ? `sent-${this.#sent}` : (this.#sentAs.get(id) ?? id);
  }

  #older({ older, loading }: ConversationState): TemplateResult | typeof nothing {
    const { words } = this.context;
    if (loading || older.loading) {
      return html`<div class="thread-loading" role="status">
        <span class="task-spinner"></span>${words.t(loading ? "thread.loading" : "thread.olderLoading")}
      </div>`;
    }
    if (!older.available) return nothing;
    return html`<button type="button" class="thread-older ck-button" @click=${() => void this.context.conversation.loadOlder()}>
      ${words.t("thread.older")}
    </button>`;
  }

  /** `later` is how many turns come after it. What is compared here is compared for every turn at every drawing. */
  #turn(state: ConversationState, turn: Turn, later: number, look: string): unknown {
    const { words, conversation } = this.context;
    const isLast = later === 0;
    const running = state.running && isLast;
    const entries = turn.message ? [turn.message, ...turn.answer] : turn.answer;
    const drawnFrom = [
      look,
      words,
      later < LIVE_TURNS,
      isLast && [running, this.#hasRoom, state.progress?.text, ...state.open].join(),
      turn.answer.some(isWidget) && conversation.busy,
      state.feedback,
      this.#marks,
      this.#reply.turnKey === turn.key,
      ...entries,
    ];
    return guard(drawnFrom, () => {
      const settled = later < LIVE_TURNS ? "" : " thread-settled";
      const room = isLast && this.#hasRoom ? " thread-room" : "";
      return html`<div class=${`thread-turn${settled}${room}`} data-turn=${turn.key}>
        ${repeat(
          entries,
          ({ id }) => this.#keyOf(id),
          (entry) => this.#entry(state, entry, look),
        )}
        ${running ? this.#activity(state, turn) : turn.answer.length > 0 ? turnActions(this, turn, isLast) : nothing}
        ${this.#reply.render(turn.key)}
      </div>`;
    });
  }

  #entry(state: ConversationState, entry: Entry, look: string): unknown {
    const writing = state.open.has(entry.id);
    const { words, conversation } = this.context;
    const drawnFrom = [entry, writing, look, words, isWidget(entry) && conversation.busy, this.#marks.get(entry.id)];
    return guard(drawnFrom, () => {
      try {
        return entryView(this, entry, writing);
      } catch (error) {
        // What a server sent and nobody foresaw; the other entries are still to be read.
        this.context.error(error instanceof Error ? error : new Error(String(error)));
        return nothing;
      }
    });
  }

  /** What of the options, the thread and what was loaded shows in a turn. */
  #look({ thread }: ConversationState): string {
    const { threadItemActions: actions, entities, headingLevel } = this.context.options;
    const domains = thread?.allowed_image_domains;
    const shown = [actions?.feedback, actions?.retry, Boolean(entities?.onClick), headingLevel, domains];
    return [this.prose.revision, ...shown].join();
  }

  /** What is going on where nothing else shows it. */
  #activity({ progress, open, entries }: ConversationState, turn: Turn): TemplateResult | typeof nothing {
    const { words } = this.context;
    if (progress) {
      return html`<div class="answer-progress" part="progress" role="status">
        ${icon(textOf(progress.icon) || "sparkle")}<span class="answer-shimmer" dir="auto">${this.prose.plain(progress.text)}</span>
      </div>`;
    }
    if (isPending({ entries }) || turn.answer.some((entry) => open.has(entry.id) && hasContent(entry))) return nothing;
    return html`<div class="answer-thinking" role="img" aria-label=${words.t("answer.thinking")}><i></i><i></i><i></i></div>`;
  }
}

function isWidget({ type }: Entry): boolean {
  return type === "widget";
}

function isPending({ entries }: Pick<ConversationState, "entries">): boolean {
  return entries.at(-1)?.id === PENDING_ID;
}

/** Whether the entry shows by itself that it is being written. */
function hasContent(entry: Entry): boolean {
  return entry.type !== "assistant_message" || entry.content.some(({ text }) => text !== "");
}
