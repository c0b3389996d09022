/** Where the reader writes: text, tags, files, a quote, a tool and a model; or answers, where questions wait. */

import type { OpenAIChatKit } from "@openai/chatkit";
import { html, nothing, type TemplateResult } from "lit";
import { IntegrationError, type Outgoing } from "../../core/conversation.ts";
import { failureOf } from "../../core/failure.ts";
import type { Attachment, UserMessageContent } from "../../core/wire.ts";
import { load } from "../../lazy.ts";
import { adoptMore } from "../../styles/index.ts";
import type { Context } from "../context.ts";
import type { StructuredInputForm } from "../input_form.ts";
import { errorText } from "../thread/error_text.ts";
import { actions, builtIns } from "./actions.ts";
import { Attachments, attachmentChips, attachmentsOf, type Upload } from "./attachments.ts";
import type { Choice } from "./choice.ts";
import { Chosen } from "./chosen.ts";
import { Completion } from "./completion.ts";
import type { Dictation } from "./dictation.ts";
import { contentOf, type Draft, draftOf, joined, plain, readable } from "./draft.ts";
import { Drop } from "./drop.ts";
import { Editor } from "./editor.ts";
import { fieldAttributes } from "./list.ts";
import { Questions } from "./questions.ts";
import { quote } from "./quote.ts";

/** What `setComposerValue` takes; members that are left out stay as they are. */
export type ComposerInput = Parameters<OpenAIChatKit["setComposerValue"]>[0];

export interface ComposerValue {
  text: string;
  content: UserMessageContent[];
  reply: string;
  /** Those that are uploaded. */
  attachments: Attachment[];
  selectedToolId: string | null;
  selectedModelId: string | null;
}

/** What is in the composer's place; locked is the field that takes nothing. */
type Shown = StructuredInputForm | "field" | "locked" | "closed";

interface Unsent {
  draft: Draft;
  quote: string;
  uploads: Upload[];
  choice: Choice;
}

/**
 * Enter sends, on touch keyboards too, as people know it from ChatKit; Shift+Enter begins a line. One draft for all
 * threads: opening another one keeps it.
 */
export class Composer {
  readonly attachments: Attachments;
  readonly chosen: Chosen;
  readonly drop: Drop;
  readonly completion: Completion;
  /** Loaded when it is first wanted. */
  #dictation: Dictation | null = null;
  #editor: Editor;
  #questions: Questions;
  #quote = "";
  #shown: Shown = "field";
  /** What was drawn last of what the draft decides. */
  #drawn = { empty: true, sendable: false };
  #resized: ResizeObserver;

  constructor(private readonly context: Context) {
    const { root } = context;
    this.attachments = new Attachments(context);
    this.chosen = new Chosen(context);
    this.#questions = new Questions(context);
    this.drop = new Drop(
      context,
      () => this.attachments.enabled && this.#shown === "field",
      (files) => this.attachments.add(files),
    );
    this.#editor = new Editor({
      changed: (typed) => this.#changed(typed),
      send: () => {
        if (!this.completion.enter()) void this.submit();
      },
      key: (event) => this.completion.key(event),
      files: (files) => {
        if (!this.attachments.enabled) return false;
        this.attachments.add(files);
        return true;
      },
      removed: (tags) => {
        for (const { text } of tags) context.announce(context.words.t("composer.tagRemoved", { title: text }));
      },
    });
    this.completion = new Completion(context, this.#editor, () => builtIns(context, this));
    const frame = root.querySelector<HTMLElement>(".ck");
    this.#resized = new ResizeObserver(([entry]) => {
      frame?.style.setProperty("--composer-room", `${entry?.contentRect.height ?? 0}px`);
    });
    this.#resized.observe(root.host);
  }

  // --- what the shell and the page do ----------------------------------------------------------------------------

  /** Gives the field the focus, or what is in its place. */
  focus(): void {
    if (typeof this.#shown === "object") this.#shown.focus();
    else if (this.#shown === "field") this.#editor.focus();
    else this.context.root.querySelector<HTMLElement>(".composer-reason")?.focus();
  }

  /** Throws `IntegrationError` for a tool, a model or files that cannot be; all the rest is set then. */
  setValue(value: ComposerInput): void {
    const { content, text, reply, attachments, files, selectedToolId, selectedModelId } = value;
    if (content) this.#editor.set(draftOf(content));
    else if (text !== undefined) this.#editor.set(plain(text));
    if (reply !== undefined) this.setQuote(reply);
    if (attachments) this.attachments.set(attachments as Attachment[]);
    const problems = this.chosen.set(selectedToolId, selectedModelId);
    if (files?.length) {
      if (this.attachments.enabled) this.attachments.add(files);
      else problems.push("Attachments are not enabled.");
    }
    if (problems.length > 0) throw new IntegrationError(problems.join(" "));
  }

  getValue(): ComposerValue {
    return {
      text: readable(this.#editor.draft),
      content: contentOf(this.#editor.draft),
      reply: this.#quote,
      attachments: this.attachments.attachments,
      selectedToolId: this.chosen.tool?.id ?? null,
      selectedModelId: this.chosen.model?.id ?? null,
    };
  }

  /** What the message answers to; "" for nothing. */
  setQuote(text: string): void {
    this.#quote = text.trim();
    this.context.update();
  }

  /** Empties everything but the chosen tool and model. */
  clear(): void {
    this.#editor.clear();
    this.attachments.clear();
    this.setQuote("");
  }

  /** After new options: tools and models that are gone are no longer chosen. The draft and its files stay. */
  optionsChanged(): void {
    this.chosen.optionsChanged();
    if (!this.canDictate) this.#dictation?.cancel();
    this.completion.follow(false);
    this.context.update();
  }

  destroy(): void {
    this.completion.destroy();
    this.#dictation?.cancel();
    this.attachments.clear();
    this.#resized.disconnect();
    this.#editor.leave();
  }

  /**
   * Sends what is there, unless a turn runs, files are still on their way or there is nothing to send. What could not
   * be sent comes back, before whatever the reader has written since.
   */
  async submit(): Promise<void> {
    const { context } = this;
    const { conversation } = context;
    if (!this.canSend) return;
    const problem = this.#uploadProblem();
    if (problem) {
      context.toast(problem, "error");
      return;
    }
    const unsent: Unsent = {
      draft: this.#editor.draft,
      quote: this.#quote,
      uploads: this.attachments.take(),
      choice: this.chosen.choice,
    };
    const message = this.#message(unsent);
    context.log("composer.submit", { attachments: unsent.uploads.length, tool: this.chosen.tool !== undefined });
    this.#editor.clear();
    this.#quote = "";
    this.chosen.sent();
    try {
      await conversation.send(message);
      this.attachments.sent(unsent.uploads);
      context.announce(context.words.t("message.sent"));
    } catch (error) {
      this.#giveBack(unsent, error);
    }
  }

  // --- what the actions show and do ------------------------------------------------------------------------------

  get canSend(): boolean {
    return this.#sendable && this.#shown === "field" && !this.context.conversation.busy;
  }

  /** Whether the page wants it and the browser can. */
  get canDictate(): boolean {
    return (
      this.context.options.composer?.dictation?.enabled === true &&
      typeof MediaRecorder === "function" &&
      navigator.mediaDevices !== undefined
    );
  }

  /** While it is under way. */
  get dictation(): Dictation | null {
    return this.#dictation?.status === "off" ? null : this.#dictation;
  }

  async dictate(): Promise<void> {
    const { context } = this;
    const { root } = context;
    const byButton = root.activeElement?.closest(".composer-actions");
    try {
      const module = await load.dictation();
      adoptMore(root, module.styles);
      this.#dictation ??= new module.Dictation(context, (text) => this.#dictated(text));
    } catch {
      context.log("chunk.failed", { name: "dictation" });
      context.toast(context.words.t("error.network"), "error");
      return;
    }
    if (this.#shown !== "field" || !this.canDictate) return;
    void this.#dictation.start();
    if (byButton) requestAnimationFrame(() => root.querySelector<HTMLElement>(".composer-dictation-stop")?.focus());
  }

  pickFiles(): void {
    this.context.root.querySelector<HTMLInputElement>(".composer-files-input")?.click();
  }

  // --- inside ----------------------------------------------------------------------------------------------------

  /** The reason why nothing can be written here, if there is one. */
  get #blocked(): string | null {
    const status = this.context.conversation.state.thread?.status;
    if (status?.type === "locked") return status.reason || this.context.words.t("composer.locked");
    if (status?.type === "closed") return status.reason || this.context.words.t("composer.closed");
    return null;
  }

  get #sendable(): boolean {
    return this.#editor.draft.text.trim() !== "" || this.attachments.uploads.length > 0;
  }

  #uploadProblem(): string | null {
    const { words } = this.context;
    const { uploads } = this.attachments;
    if (uploads.some(({ status }) => status === "uploading")) return words.t("attachment.wait");
    const failed = uploads.find(({ status }) => status === "failed");
    return failed ? words.t("attachment.failed", { name: failed.name }) : null;
  }

  #message({ draft, quote, uploads }: Unsent): Outgoing {
    const content = contentOf(draft);
    const { inferenceOptions } = this.chosen;
    return {
      // Servers want a part of content in every message, also in one of files alone.
      content: content.length > 0 ? content : [{ type: "input_text", text: "" }],
      attachments: attachmentsOf(uploads),
      ...(quote ? { quotedText: quote } : {}),
      ...(inferenceOptions ? { inferenceOptions } : {}),
    };
  }

  #giveBack({ draft, quote, uploads, choice }: Unsent, error: unknown): void {
    const { context } = this;
    this.#editor.set(joined(draft, this.#editor.draft));
    this.attachments.putBack(uploads);
    this.#quote ||= quote;
    this.chosen.giveBack(choice);
    const reason = errorText(context.words, failureOf(error));
    context.toast(context.words.t("error.notSent", { reason }), "error");
    context.update();
  }

  /** Goes back to the field, unless the reader is busy elsewhere on the page, with what was said. */
  #dictated(text: string): void {
    const editor = this.#editor;
    if (this.context.root.activeElement || document.activeElement === document.body) editor.focus();
    if (!text) return;
    const before = editor.draft.text.slice(0, editor.caret);
    editor.insert(plain(/\S$/.test(before) ? ` ${text}` : text));
    this.context.announce(text);
  }

  #changed(typed: boolean): void {
    this.completion.follow(typed);
    const { empty, sendable } = this.#drawn;
    if (empty !== (this.#editor.draft.text === "") || sendable !== this.#sendable) this.context.update();
  }

  // --- drawing ---------------------------------------------------------------------------------------------------

  render(): TemplateResult {
    const blocked = this.#blocked;
    const status = this.context.conversation.state.thread?.status?.type;
    this.#arrange(blocked === null ? (this.#questions.form() ?? "field") : status === "closed" ? "closed" : "locked");
    queueMicrotask(() => this.completion.afterRender());
    const shown = this.#shown;
    return html`<div class="composer" part="composer" ?data-locked=${shown === "locked"}>
      ${
        typeof shown === "object"
          ? shown.render()
          : shown === "closed"
            ? html`<p class="composer-banner composer-reason" role="status" tabindex="-1" dir="auto">${blocked}</p>`
            : this.#renderField(blocked)
      }
    </div>`;
  }

  /** The focus goes along to what takes the place, if it was here. */
  #arrange(shown: Shown): void {
    if (shown === this.#shown) return;
    const within = this.context.root.querySelector(".composer")?.matches(":focus-within");
    this.#shown = shown;
    if (shown !== "field") {
      this.#editor.leave();
      this.completion.close();
      this.#dictation?.cancel();
    }
    if (within) queueMicrotask(() => (typeof shown === "object" ? shown.receiveFocus() : this.focus()));
  }

  #renderField(locked: string | null): TemplateResult {
    const { words, options } = this.context;
    const { tool } = this.chosen;
    const empty = this.#editor.draft.text === "";
    this.#drawn = { empty, sendable: this.#sendable };
    const placeholder =
      locked ?? tool?.placeholderOverride ?? options.composer?.placeholder ?? words.t("composer.placeholder");
    this.#describe(placeholder, locked !== null);
    return html`<div
        class="composer-box"
        part="input-container"
        ?data-stacked=${this.#stacked}
        @mousedown=${(event: MouseEvent) => this.#pressed(event)}
      >
        ${this.#quote ? quote(this.context, this.#quote, () => this.#removeQuote()) : nothing}
        ${attachmentChips(this.context, this.attachments, (index) => this.#focusFile(index))}
        <div class="composer-field">
          ${
            locked !== null
              ? html`<div class="composer-placeholder composer-reason" tabindex="-1" dir="auto">${placeholder}</div>`
              : empty
                ? html`<div class="composer-placeholder" dir="auto" aria-hidden="true">${placeholder}</div>`
                : nothing
          }
          ${this.#editor.element}
        </div>
        ${actions(this.context, this, locked !== null)}
      </div>
      ${this.completion.render()}`;
  }

  /** Whether the actions need a line of their own below the text. */
  get #stacked(): boolean {
    const { tools, models } = this.chosen.choices;
    return (
      this.dictation !== null ||
      models.length > 0 ||
      tools.some(({ pinned }) => pinned) ||
      this.chosen.tool !== undefined ||
      (this.completion.canMention && this.context.options.entities?.showComposerMenu === true)
    );
  }

  #describe(placeholder: string, locked: boolean): void {
    const { element } = this.#editor;
    const { open } = this.completion;
    this.#editor.enable(!locked);
    const attributes: Record<string, string | null> = {
      ...fieldAttributes(open),
      "aria-label": this.context.words.t("composer.label"),
      // A combo box may not have one; it has text in it then anyway.
      "aria-placeholder": open ? null : placeholder,
      "aria-disabled": locked ? "true" : null,
      // Browsers take an empty text for one from left to right; it has the page's direction.
      dir: this.#editor.draft.text === "" ? null : "auto",
    };
    // This is at every drawing, and an attribute that is set, to the same too, makes the browser look at the field again.
    for (const [name, value] of Object.entries(attributes)) {
      if (value === element.getAttribute(name)) continue;
      if (value === null) element.removeAttribute(name);
      else element.setAttribute(name, value);
    }
  }

  #removeQuote(): void {
    this.setQuote("");
    this.#editor.focus();
  }

  /** A press beside the text is meant for the text; one on a button leaves the focus, and the caret, where it is. */
  #pressed(event: MouseEvent): void {
    const target = event.target as Element;
    if (target.closest(".composer-input, .menu")) return;
    event.preventDefault();
    if (!target.closest("button") && this.#shown === "field") this.#editor.focus();
  }

  /** The file in a place of the list that has just changed, or the field. */
  #focusFile(index: number): void {
    requestAnimationFrame(() => {
      const buttons = this.context.root.querySelectorAll<HTMLElement>(".composer-file-remove");
      const next = buttons[Math.min(index, buttons.length - 1)];
      if (next) next.focus();
      else this.#editor.focus();
    });
  }
}
