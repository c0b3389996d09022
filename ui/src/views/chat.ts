/** A chat with one server, from its first drawing to its end: the context of all views, and their arrangement. */

import type { StartScreenPrompt } from "@openai/chatkit";
import { html, nothing, render, type TemplateResult } from "lit";
import type { Conversation } from "../core/conversation.ts";
import { failureOf } from "../core/failure.ts";
import type { History } from "../core/history.ts";
import { createConversation } from "../core/open-conversation.ts";
import { createHistory } from "../core/open-history.ts";
import { type Api, type Options, sameOptions, type UploadStrategy } from "../core/options.ts";
import { createTransport, uploadStrategyOf } from "../core/server.ts";
import type { Transport } from "../core/transport.ts";
import type { UserMessageContent } from "../core/wire.ts";
import { englishFor, loadWords } from "../locales/index.ts";
import type { Words } from "../locales/words.ts";
import { Announcer } from "./announcer.ts";
import { Composer } from "./composer/composer.ts";
import type { Context } from "./context.ts";
import { disclaimer } from "./disclaimer.ts";
import { createFrame, dressFrame } from "./frame.ts";
import { header } from "./header.ts";
import { HistoryPanel } from "./history.ts";
import { icon } from "./icon.ts";
import { start } from "./start.ts";
import { errorText } from "./thread/error_text.ts";
import { ThreadView } from "./thread/thread.ts";
import { Toasts } from "./toast.ts";

/** A page that is looked at again reads the thread again, at most once in this time. */
const REFRESH_EVERY_MS = 5_000;

/** The element, as much of it as a chat needs. */
export interface Host {
  readonly root: ShadowRoot;
  readonly scriptOrigin: string;
  emit(name: string, detail?: unknown): void;
}

export const localeOf = (options: Options): string => options.locale || navigator.language || "en";

export class Chat implements Context {
  readonly root: ShadowRoot;
  readonly transport: Transport;
  readonly conversation: Conversation;
  readonly history: History;
  readonly composer: Composer;
  readonly panel: HistoryPanel;
  words: Words;
  #options: Options;
  readonly #host: Host;
  readonly #frame: HTMLElement;
  readonly #announcer: Announcer;
  readonly #thread: ThreadView;
  readonly #toasts: Toasts;
  /** Aborts when the chat ends. */
  readonly #end = new AbortController();
  #drawing: number | null = null;
  /** Parts that could not be drawn, until they can again. */
  readonly #broken = new Set<string>();
  #connection: string;
  #refreshed = performance.now();

  /** `options` have an `api`. Draws at once; `initialThread` loads meanwhile. */
  constructor(host: Host, options: Options, initialThread: string | null) {
    this.#host = host;
    this.#options = options;
    this.root = host.root;
    this.words = englishFor(localeOf(options));
    this.transport = createTransport({
      api: () => this.#api,
      locale: () => localeOf(this.#options),
      scriptOrigin: host.scriptOrigin,
    });
    this.conversation = createConversation({
      transport: () => this.transport,
      onClientTool: () => this.#options.onClientTool,
    });
    this.history = createHistory({ transport: () => this.transport });
    this.#frame = createFrame(host.root);
    this.#announcer = new Announcer(this.#frame);
    this.composer = new Composer(this);
    this.#thread = new ThreadView(this, {
      quote: (text) => {
        this.composer.setQuote(text);
        this.composer.focus();
      },
    });
    this.#toasts = new Toasts(this);
    this.panel = new HistoryPanel(this, (threadId) => void this.#openAndGoOn(threadId));
    this.#connection = this.conversation.state.connection;
    for (const type of ["dragenter", "dragover", "dragleave", "drop"] as const) {
      this.#frame.addEventListener(type, this.composer.drop.handle);
    }
    this.#frame.addEventListener("keydown", this.#keydown);
    this.#subscribe();
    this.#watchPage();
    this.#dress();
    this.#speak();
    if (initialThread !== null) void this.conversation.open(initialThread);
    this.#draw();
  }

  // --- the context of the views ------------------------------------------------------------------------------------

  get options(): Options {
    return this.#options;
  }

  get uploadStrategy(): UploadStrategy | null {
    return uploadStrategyOf(this.#api, this.#host.scriptOrigin);
  }

  update = (): void => {
    if (!this.#end.signal.aborted) this.#drawing ??= requestAnimationFrame(this.#draw);
  };

  announce = (text: string, assertive = false): void => this.#announcer.say(text, assertive);

  toast = (text: string, kind: "info" | "error" = "info"): void => this.#toasts.show(text, kind);

  callPage = async <T>(what: string, call: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await call();
    } catch (cause) {
      this.error(asError(cause, what));
      return undefined;
    }
  };

  emit = (name: string, detail?: unknown): void => this.#host.emit(name, detail);

  log = (name: string, data?: Record<string, unknown>): void =>
    this.emit("chatkit.log", { name, ...(data && { data }) });

  error = (error: Error): void => this.emit("chatkit.error", { error });

  // --- what the element does with it ---------------------------------------------------------------------------------

  /** Other options for the same server. Thread, draft, scroll and uploads stay. */
  setOptions(options: Options): void {
    const before = this.#options;
    this.#options = options;
    if (sameOptions(before, options)) return;
    if (localeOf(before) !== localeOf(options)) this.#speak();
    if (options.history?.enabled === false) this.panel.close();
    if (!sameOptions(before.theme, options.theme) || before.frameTitle !== options.frameTitle) this.#dress();
    this.composer.optionsChanged();
    this.update();
  }

  /** Draws now what is waiting for the next frame, such as what is to get the focus. */
  flush(): void {
    if (this.#drawing === null) return;
    cancelAnimationFrame(this.#drawing);
    this.#draw();
  }

  destroy(): void {
    this.panel.close();
    this.#end.abort();
    if (this.#drawing !== null) cancelAnimationFrame(this.#drawing);
    this.conversation.close();
    this.composer.destroy();
    this.#thread.destroy();
    this.panel.destroy();
    this.#toasts.destroy();
    this.#announcer.destroy();
    this.#frame.remove();
  }

  // --- inside ----------------------------------------------------------------------------------------------------

  get #api(): Api {
    return this.#options.api as Api;
  }

  #subscribe(): void {
    this.history.subscribe(this.update);
    this.conversation.subscribe({
      changed: ({ connection }) => {
        if (connection === "online" && this.#connection !== "online") this.announce(this.words.t("connection.back"));
        this.#connection = connection;
        this.update();
      },
      error: this.error,
      effect: (name, data) => this.emit("chatkit.effect", { name, data }),
      responseStart: () => this.emit("chatkit.response.start"),
      responseEnd: () => this.emit("chatkit.response.end"),
      threadChange: (threadId) => this.emit("chatkit.thread.change", { threadId }),
      loadStart: (threadId) => this.emit("chatkit.thread.load.start", { threadId }),
      loadEnd: (threadId) => {
        this.emit("chatkit.thread.load.end", { threadId });
        if (this.conversation.state.thread) this.announce(this.words.t("thread.loaded"));
      },
      log: this.log,
      threadSeen: (thread) => this.history.see(thread),
    });
  }

  /** What another window did meanwhile shows when this one is looked at again. */
  #watchPage(): void {
    const look = (): void => {
      if (document.visibilityState !== "visible" || performance.now() - this.#refreshed < REFRESH_EVERY_MS) return;
      this.#refreshed = performance.now();
      void this.conversation.refresh();
      if (this.panel.isOpen) void this.history.refresh();
    };
    const { signal } = this.#end;
    document.addEventListener("visibilitychange", look, { signal });
    window.addEventListener("focus", look, { signal });
    window.addEventListener("online", look, { signal });
  }

  #dress(): void {
    dressFrame(this.#frame, this.#options, this.words, this.error);
  }

  /** English until the words of the language are there. */
  #speak(): void {
    const locale = localeOf(this.#options);
    loadWords(locale).then((words) => {
      const isLate = localeOf(this.#options) !== locale || this.#end.signal.aborted;
      const isSame = words.locale === this.words.locale && words.direction === this.words.direction;
      if (isLate || isSame) return;
      this.words = words;
      this.#dress();
      this.update();
    }, this.error);
  }

  /** Drawn at once, so that a key that follows the click meets the panel. */
  #openHistory(): void {
    this.panel.open();
    this.flush();
  }

  /** After the reader chose a thread. */
  async #openAndGoOn(threadId: string | null): Promise<void> {
    const opening = this.conversation.open(threadId);
    this.#goOn();
    await opening;
  }

  /** A prompt of the start screen, with the model and tool that are chosen. */
  async #send({ prompt }: StartScreenPrompt): Promise<void> {
    const { selectedModelId, selectedToolId } = this.composer.getValue();
    const content: UserMessageContent[] = typeof prompt === "string" ? [{ type: "input_text", text: prompt }] : prompt;
    const inferenceOptions = {
      ...(selectedModelId !== null && { model: selectedModelId }),
      ...(selectedToolId !== null && { tool_choice: { id: selectedToolId } }),
    };
    this.log("prompt.submit");
    try {
      const sending = this.conversation.send({ content, inferenceOptions });
      this.#goOn();
      await sending;
    } catch (error) {
      this.toast(this.words.t("error.notSent", { reason: errorText(this.words, failureOf(error)) }), "error");
    }
  }

  /** The focus goes to the field; on a touch screen to the log, as the keyboard would cover what there is to read. */
  #goOn(): void {
    this.flush();
    const log = this.#log;
    if (log && !matchMedia("(pointer: fine)").matches) log.focus({ preventScroll: true });
    else this.composer.focus();
  }

  get #log(): HTMLElement | null {
    return this.root.querySelector("[role=log]");
  }

  /** F6 goes to and fro between what is read and what is written. */
  #keydown = (event: KeyboardEvent): void => {
    if (event.key !== "F6" || event.ctrlKey || event.altKey || event.metaKey || this.panel.isOpen) return;
    const log = this.#log;
    event.preventDefault();
    if (log && !log.contains(this.root.activeElement)) log.focus();
    else this.composer.focus();
  };

  #draw = (): void => {
    this.#drawing = null;
    try {
      render(this.#template(), this.#frame);
      this.#thread.afterRender();
      this.panel.afterRender();
      this.#broken.delete("chat");
    } catch (cause) {
      this.#tellBroken("chat", cause);
    }
  };

  #template(): TemplateResult {
    const { state } = this.conversation;
    const isNew = state.threadId === null && state.entries.length === 0 && !state.running;
    const main = isNew
      ? this.#part("start", () => start(this, (prompt) => void this.#send(prompt)))
      : this.#part("thread", () => this.#thread.render());
    return html`<div class="shell ${isNew ? "shell-start" : "shell-thread"}" ?inert=${this.panel.isOpen}>
        ${this.#options.header?.enabled === false ? nothing : this.#part("header", () => this.#header())}
        ${state.connection === "online" ? nothing : this.#banner(state.connection)}
        <div class="shell-main">${main}</div>
        <div class="shell-foot">
          ${this.#part("composer", () => this.composer.render())} ${this.#part("disclaimer", () => disclaimer(this, this.#thread.prose))}
        </div>
      </div>
      ${this.#part("history", () => this.panel.render())} ${this.#toasts.render()} ${this.composer.drop.render()}`;
  }

  #header(): TemplateResult {
    return header(this, { history: () => this.#openHistory(), newChat: () => void this.#openAndGoOn(null) });
  }

  #banner(connection: "offline" | "reconnecting"): TemplateResult {
    return html`<div class="shell-banner" part="connection" role="status">
      ${icon("wifi-off")}<span>${this.words.t(`connection.${connection}`)}</span>
    </div>`;
  }

  /** A part that cannot be drawn is left out, and told once. */
  #part<T>(name: string, draw: () => T): T | typeof nothing {
    try {
      const drawn = draw();
      this.#broken.delete(name);
      return drawn;
    } catch (cause) {
      this.#tellBroken(name, cause);
      return nothing;
    }
  }

  #tellBroken(name: string, cause: unknown): void {
    if (this.#broken.has(name)) return;
    this.#broken.add(name);
    this.error(asError(cause, name));
  }
}

function asError(cause: unknown, where: string): Error {
  return cause instanceof Error ? cause : new Error(`${where}: ${String(cause)}`, { cause });
}
