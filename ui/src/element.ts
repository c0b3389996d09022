/** `<openai-chatkit>`: what pages see of the chat. */

import type { ChatKitOptions, OpenAIChatKit } from "@openai/chatkit";
import { render } from "lit";
import { IntegrationError } from "./core/conversation.ts";
import { checkOptions, type Options } from "./core/options.ts";
import { sameServer } from "./core/server.ts";
import { isStored } from "./core/transcript.ts";
import type { ThreadItem, ThreadMetadata, UserMessageContent } from "./core/wire.ts";
import { scriptUrl } from "./lazy.ts";
import { englishFor } from "./locales/index.ts";
import { adoptStyles } from "./styles/index.ts";
import { Chat, localeOf } from "./views/chat.ts";
import type { ComposerValue } from "./views/composer/composer.ts";
import { createFrame, dressFrame } from "./views/frame.ts";
import { hold } from "./views/hold.ts";

export type { ComposerValue, Options };

/** A thread as it is on the screen. */
export interface ShownThread extends ThreadMetadata {
  items: ThreadItem[];
}

type Parameter<T extends keyof OpenAIChatKit> = OpenAIChatKit[T] extends (first: infer P, ...rest: never[]) => unknown
  ? P
  : never;

/** A server that renders the page has no elements; there the class is only a name. */
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

/**
 * The element of `@openai/chatkit`, with `getComposerValue`, `getThread`, `stop`, and `sendAction` as another name of
 * `sendCustomAction`. Methods reject with `IntegrationError` for what cannot be done now: without options, outside of a
 * document, or while a turn runs or a thread loads. Setting the composer's value, the focus or the thread and showing
 * the history are always possible.
 */
export class ChatKitElement extends Base implements OpenAIChatKit {
  readonly #root = this.attachShadow({ mode: "open" });
  #options: Options | null = null;
  #chat: Chat | null = null;
  /** The box that stands in for a chat. */
  #hold: HTMLElement | null = null;
  /** `initialThread` has been shown since the element came into the document. */
  #begun = false;
  #isReady = false;
  /** What happened before the page had the time to listen; null from then on. */
  #early: [name: string, detail: unknown][] | null = [];
  /** The thread of the chat before this one. */
  #left: string | null = null;
  readonly #warned = new Set<string>();

  constructor() {
    super();
    // Pages set `options` on an element that is not defined yet.
    if (Object.hasOwn(this, "options")) {
      const { options } = this;
      Reflect.deleteProperty(this, "options");
      if (options) this.setOptions(options);
    }
  }

  /** The options in force; setting them is `setOptions`. */
  get options(): ChatKitOptions | null {
    return this.#options as ChatKitOptions | null;
  }

  set options(options: ChatKitOptions | null) {
    this.setOptions(options ?? ({} as ChatKitOptions));
  }

  connectedCallback(): void {
    this.#start();
  }

  /** An element that is moved is back within the same task, and goes on. */
  disconnectedCallback(): void {
    setTimeout(() => {
      if (!this.isConnected) this.#end();
    });
  }

  setOptions(given: ChatKitOptions): void {
    const { options, problems } = checkOptions(given);
    this.#warn(problems);
    this.#options = options;
    const { api } = options;
    if (this.#chat && api && this.#chat.options.api && sameServer(this.#chat.options.api, api))
      this.#chat.setOptions(options);
    else this.#restart();
  }

  async focusComposer(): Promise<void> {
    const chat = this.#live;
    chat.panel.close();
    chat.flush();
    chat.composer.focus();
  }

  async setThreadId(threadId: string | null): Promise<void> {
    const chat = this.#live;
    if (typeof (threadId ?? "") !== "string") throw new IntegrationError("A thread's id is a text.");
    chat.panel.close();
    await chat.conversation.open(threadId ?? null);
  }

  async sendCustomAction(action: Parameter<"sendCustomAction">, itemId?: string): Promise<void> {
    if (typeof action?.type !== "string") throw new IntegrationError("An action needs a type.");
    await this.#live.conversation.act(action, itemId === undefined ? {} : { itemId });
  }

  /** What the guides call `sendCustomAction`. */
  sendAction(action: Parameter<"sendCustomAction">, itemId?: string): Promise<void> {
    return this.sendCustomAction(action, itemId);
  }

  async sendUserMessage(message: Parameter<"sendUserMessage">): Promise<void> {
    const { text, content, reply, attachments = [], newThread = false, toolChoice, model } = message;
    const parts = (content ?? (text ? [{ type: "input_text", text }] : [])) as UserMessageContent[];
    if (parts.length === 0 && attachments.length === 0)
      throw new IntegrationError("A message needs text, content or attachments.");
    await this.#live.conversation.send(
      {
        // Servers want a part of content in every message.
        content: parts.length > 0 ? parts : [{ type: "input_text", text: "" }],
        attachments,
        ...(reply && { quotedText: reply }),
        inferenceOptions: { ...(toolChoice && { tool_choice: toolChoice }), ...(model !== undefined && { model }) },
      },
      { newThread },
    );
  }

  async setComposerValue(value: Parameter<"setComposerValue">): Promise<void> {
    await this.#live.composer.setValue(value);
  }

  async getComposerValue(): Promise<ComposerValue> {
    return this.#live.composer.getValue();
  }

  async showHistory(): Promise<void> {
    const chat = this.#live;
    if (chat.options.history?.enabled === false)
      throw new IntegrationError("The history is disabled by history.enabled.");
    chat.panel.open();
  }

  async hideHistory(): Promise<void> {
    this.#live.panel.close();
  }

  async fetchUpdates(): Promise<void> {
    const { conversation, history, panel } = this.#live;
    await Promise.all([conversation.refresh(), panel.isOpen && history.refresh()]);
  }

  /** Ends the running turn and keeps what was said. */
  async stop(): Promise<void> {
    await this.#live.conversation.stop();
  }

  /** A copy of the open thread with the items that are loaded, oldest first; null for a new conversation. */
  async getThread(): Promise<ShownThread | null> {
    const { thread, entries } = this.#live.conversation.state;
    return thread && structuredClone({ ...thread, items: entries.filter(isStored) });
  }

  // --- inside ----------------------------------------------------------------------------------------------------

  get #live(): Chat {
    if (this.#chat) return this.#chat;
    if (!this.#options) throw new IntegrationError("Call setOptions first.");
    if (!this.isConnected) throw new IntegrationError("The element is not in the document.");
    throw new IntegrationError("The options have no usable api.");
  }

  /** A chat, or what stands in for it; nothing without options or outside of a document. */
  #start(): void {
    const options = this.#options;
    if (!options || !this.isConnected || this.#chat || this.#hold) return;
    if (!this.#isReady) {
      this.#early ??= [];
      afterPaint(this.#speak);
    }
    adoptStyles(this.#root);
    if (!options.api) {
      const words = englishFor(localeOf(options));
      this.#hold = createFrame(this.#root);
      dressFrame(this.#hold, options, words, this.#error);
      render(hold(words), this.#hold);
      this.#warn(["options have no usable api"]);
      return;
    }
    const host = { root: this.#root, scriptOrigin: new URL(scriptUrl ?? location.href).origin, emit: this.#emit };
    this.#chat = new Chat(host, options, this.#begun ? null : (options.initialThread ?? null));
    this.#begun = true;
    if (this.#left !== null && this.#chat.conversation.state.threadId === null)
      this.#emit("chatkit.thread.change", { threadId: null });
    this.#left = null;
  }

  #restart(): void {
    this.#left = this.#chat?.conversation.state.threadId ?? this.#left;
    this.#chat?.destroy();
    this.#hold?.remove();
    this.#chat = this.#hold = null;
    this.#start();
  }

  /** The options stay, for when the element comes back. */
  #end(): void {
    this.#restart();
    this.#begun = false;
  }

  /** Tells first of all that the chat is ready, once, then what happened before. */
  #speak = (): void => {
    const early = this.#early ?? [];
    this.#early = null;
    if (this.#chat && !this.#isReady) {
      this.#isReady = true;
      this.#emit("chatkit.ready");
    }
    for (const [name, detail] of early) this.#emit(name, detail);
  };

  #emit = (name: string, detail?: unknown): void => {
    if (this.#early) this.#early.push([name, detail]);
    else this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  };

  #error = (error: Error): void => this.#emit("chatkit.error", { error });

  /** Each problem once, however often the page sets its options. */
  #warn(problems: readonly string[]): void {
    const unknown = problems.filter((problem) => !this.#warned.has(problem));
    if (unknown.length === 0) return;
    for (const problem of unknown) {
      this.#warned.add(problem);
      console.warn(`<openai-chatkit>: ${problem}`);
    }
    this.#emit("chatkit.log", { name: "options.unknown", data: { problems: unknown } });
    if (this.#early) afterPaint(this.#speak);
  }
}

/**
 * Calls back in a task after the next frame, or soon in a page that has none because it is hidden. By then frameworks
 * have attached their listeners, which they do after the frame in which they set the options.
 */
function afterPaint(callback: () => void): void {
  const HIDDEN_MS = 100;
  let pending = true;
  const next = (): void => {
    if (pending) setTimeout(callback);
    pending = false;
  };
  requestAnimationFrame(next);
  setTimeout(next, HIDDEN_MS);
}
