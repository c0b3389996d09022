/** Where the reader writes: text, tags, files, a quote, a tool and a model; or answers, where questions wait. */

import type { OpenAIChatKit } from "@openai/chatkit";
import { html, nothing, type TemplateResult } from "lit";
import { IntegrationError, type Outgoing } from "../../core/conversation.ts";
import { failureOf } from "../../core/failure.ts";
import type { Attachment, UserMessageContent } from "../../core/wire.ts";
import type { Context } from "../context.ts";
import { icon } from "../icon.ts";
import { pendingInput, StructuredInputForm } from "../structured_input.ts";
import { errorText } from "../thread/error_text.ts";
import { actions } from "./actions.ts";
import { Attachments, attachmentChips, attachmentsOf, type Upload } from "./attachments.ts";
import type { Choice } from "./choice.ts";
import { Chosen } from "./chosen.ts";
import { Dictation } from "./dictation.ts";
import { contentOf, type Draft, draftOf, EMPTY, joined, plain, readable, splice, type Tag, tagged } from "./draft.ts";
import { Drop } from "./drop.ts";
import { Editor } from "./editor.ts";
import { fieldAttributes, ListPanel, suggestionList } from "./list.ts";
import { type BuiltIn, commands, mentions, type Target } from "./sources.ts";
import { Suggestions } from "./suggestions.ts";
import { opensAt } from "./trigger.ts";

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
  readonly dictation: Dictation;
  readonly drop: Drop;
  #editor: Editor;
  #suggestions: Suggestions;
  #panel = new ListPanel();
  #quote = "";
  #form: StructuredInputForm | null = null;
  /** The newest form, also while its answers are being sent: they are still there if that fails. */
  #lastForm: StructuredInputForm | null = null;
  /** What was drawn last of what the draft decides. */
  #drawn = { empty: true, sendable: false };
  #resized: ResizeObserver;

  constructor(private readonly context: Context) {
    this.attachments = new Attachments(context);
    this.chosen = new Chosen(context);
    this.dictation = new Dictation(context, (text) => this.#dictated(text));
    this.drop = new Drop(
      context,
      () => this.attachments.enabled && !this.#blocked && !this.#form,
      (files) => this.attachments.add(files),
    );
    this.#suggestions = new Suggestions(
      context,
      () => this.#kinds(),
      (kind, query) =>
        kind === "@"
          ? mentions(context, this.#target, query)
          : commands(context, this.#target, this.#builtIns(), query),
    );
    this.#editor = new Editor({
      changed: (typed) => this.#changed(typed),
      send: () => {
        if (!this.#suggestions.enter()) void this.submit();
      },
      key: (event) => this.#suggestions.key(event),
      files: (files) => {
        if (!this.attachments.enabled) return false;
        this.attachments.add(files);
        return true;
      },
      removed: (tags) => {
        for (const { text } of tags) context.announce(context.words.t("composer.tagRemoved", { title: text }));
      },
    });
    this.#editor.element.addEventListener("blur", () => this.#suggestions.close());
    this.#resized = new ResizeObserver(([entry]) => {
      this.#editor.element.style.setProperty("--composer-room", `${entry?.contentRect.height ?? 0}px`);
    });
    this.#resized.observe(context.root.host);
  }

  // --- what the shell and the page do ----------------------------------------------------------------------------

  /** Gives the field the focus, or the form in its place. */
  focus(): void {
    if (this.#form) this.#form.focus();
    else this.#editor.focus();
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
    if (!this.dictation.enabled) this.dictation.cancel();
    this.#suggestions.follow(this.#editor.draft.text, this.#editor.caret, false);
    this.context.update();
  }

  destroy(): void {
    this.#suggestions.close();
    this.#panel.show(this.context.root, null, null);
    this.dictation.cancel();
    this.attachments.clear();
    this.#resized.disconnect();
    this.#editor.element.blur();
  }

  /**
   * Sends what is there, unless a turn runs, files are still on their way or there is nothing to send. What could not
   * be sent comes back, before whatever the reader has written since.
   */
  async submit(): Promise<void> {
    const { context } = this;
    const { conversation } = context;
    if (conversation.busy || this.#blocked || this.#form || !this.#sendable) return;
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
    return this.#sendable && !this.context.conversation.busy && !this.#blocked;
  }

  get canMention(): boolean {
    return this.context.options.entities?.onTagSearch !== undefined;
  }

  /** Begins a mention at the caret. */
  mention(): void {
    const editor = this.#editor;
    editor.focus();
    const { text } = editor.draft;
    editor.insert(plain(opensAt(text, editor.caret) ? "@" : " @"));
    this.#suggestions.follow(editor.draft.text, editor.caret, true);
  }

  dictate(): void {
    const { root } = this.context;
    const byButton = root.activeElement?.closest(".composer-actions");
    void this.dictation.start();
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
    const { text } = this.#editor.draft;
    this.#suggestions.follow(text, this.#editor.caret, typed);
    const { empty, sendable } = this.#drawn;
    if (empty !== (text === "") || sendable !== this.#sendable) this.context.update();
  }

  #kinds(): string {
    return (this.canMention ? "@" : "") + (this.context.options.commands?.enabled ? "/" : "");
  }

  #builtIns(): BuiltIn[] {
    const { words } = this.context;
    const builtIns: BuiltIn[] = [];
    if (this.attachments.enabled) {
      builtIns.push({
        id: "attach",
        label: words.t("composer.attach"),
        icon: "paperclip",
        run: () => this.pickFiles(),
      });
    }
    if (this.canMention) {
      builtIns.push({ id: "mention", label: words.t("composer.mention"), icon: "at", run: () => this.mention() });
    }
    if (this.dictation.enabled) {
      builtIns.push({ id: "dictate", label: words.t("dictation.start"), icon: "mic", run: () => this.dictate() });
    }
    for (const tool of this.chosen.choices.tools) {
      builtIns.push({
        id: `tool:${tool.id}`,
        label: tool.label,
        icon: tool.icon,
        run: () => this.chosen.chooseTool(tool.id),
      });
    }
    return builtIns;
  }

  readonly #target: Target = {
    replaceWithTag: (start, end, tag) => this.#insertTag(start, end, tag),
    insertTag: (tag) => this.#insertTag(this.#editor.caret, this.#editor.caret, tag),
    remove: (start, end) => this.#editor.replace(start, end, EMPTY),
    openLevel: (suggestions) => {
      this.#editor.focus();
      this.#suggestions.openLevel(suggestions, this.#editor.caret);
    },
  };

  /** The tag, and a space to write on after it. */
  #insertTag(start: number, end: number, tag: Tag): void {
    const editor = this.#editor;
    const spaced = /^\s/.test(editor.draft.text.slice(end)) ? tagged(tag) : splice(tagged(tag), 1, 1, plain(" "));
    editor.focus();
    editor.replace(start, end, spaced);
    this.context.announce(this.context.words.t("composer.tagAdded", { title: tag.text }));
  }

  // --- drawing ---------------------------------------------------------------------------------------------------

  render(): TemplateResult {
    const { state } = this.context.conversation;
    queueMicrotask(() => this.#showList());
    const blocked = this.#blocked;
    const item = blocked === null && !state.running ? pendingInput(state.entries) : null;
    this.#takeOver(item);
    if (this.#form) return html`<div class="composer" part="composer">${this.#form.render()}</div>`;
    if (state.thread?.status?.type === "closed") {
      return html`<div class="composer" part="composer">
        <p class="composer-banner" role="status" dir="auto">${blocked}</p>
      </div>`;
    }
    return this.#renderField(blocked);
  }

  /** Puts the form in the field's place, or takes it away; the focus goes along if it was here. */
  #takeOver(item: ReturnType<typeof pendingInput>): void {
    if (item?.id === this.#form?.item.id) return;
    this.#suggestions.close();
    const within = this.context.root.querySelector(".composer")?.matches(":focus-within");
    if (item) {
      if (this.#lastForm?.item.id !== item.id) this.#lastForm = new StructuredInputForm(this.context, item);
      this.dictation.cancel();
    }
    this.#form = item && this.#lastForm;
    if (within) queueMicrotask(() => this.focus());
  }

  #renderField(locked: string | null): TemplateResult {
    const { words, options } = this.context;
    const { tool } = this.chosen;
    const empty = this.#editor.draft.text === "";
    this.#drawn = { empty, sendable: this.#sendable };
    const placeholder =
      locked ?? tool?.placeholderOverride ?? options.composer?.placeholder ?? words.t("composer.placeholder");
    this.#describe(placeholder, locked !== null);
    return html`<div class="composer" part="composer" data-locked=${locked === null ? nothing : ""}>
      <div
        class="composer-box"
        part="input-container"
        ?data-stacked=${this.#stacked}
        @mousedown=${(event: MouseEvent) => this.#pressed(event)}
      >
        ${this.#quote ? this.#renderQuote() : nothing}
        ${attachmentChips(this.context, this.attachments, (index) => this.#focusFile(index))}
        <div class="composer-field">
          ${empty || locked !== null ? html`<div class="composer-placeholder" dir="auto" aria-hidden=${locked === null}>${placeholder}</div>` : nothing}
          ${this.#editor.element}
        </div>
        ${actions(this.context, this, locked !== null)}
      </div>
      ${suggestionList(this.context, this.#suggestions)}
    </div>`;
  }

  /** Whether the actions need a line of their own below the text. */
  get #stacked(): boolean {
    const { tools, models } = this.chosen.choices;
    const { entities } = this.context.options;
    return (
      this.dictation.status !== "off" ||
      models.length > 0 ||
      tools.some(({ pinned }) => pinned) ||
      this.chosen.tool !== undefined ||
      (this.canMention && entities?.showComposerMenu === true)
    );
  }

  #describe(placeholder: string, locked: boolean): void {
    const { element } = this.#editor;
    this.#editor.enable(!locked);
    const attributes: Record<string, string | null> = {
      ...fieldAttributes(this.#suggestions.open),
      "aria-label": this.context.words.t("composer.label"),
      // A combo box may not have one; it has text in it then anyway.
      "aria-placeholder": this.#suggestions.open ? null : placeholder,
      "aria-disabled": locked ? "true" : null,
      // Browsers take an empty text for one from left to right; it has the page's direction.
      dir: this.#editor.draft.text === "" ? null : "auto",
    };
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null) element.removeAttribute(name);
      else element.setAttribute(name, value);
    }
  }

  #showList(): void {
    const { root } = this.context;
    this.#panel.show(root, root.querySelector(".composer-box"), this.#suggestions.open);
  }

  #renderQuote(): TemplateResult {
    const { words } = this.context;
    return html`<div class="composer-quote">
      ${icon("quote")}
      <blockquote class="composer-quote-text" aria-label=${words.t("composer.quote")} dir="auto">${this.#quote}</blockquote>
      <button
        type="button"
        class="composer-file-button"
        aria-label=${words.t("composer.removeQuote")}
        title=${words.t("composer.removeQuote")}
        @click=${() => {
          this.setQuote("");
          this.#editor.focus();
        }}
      >${icon("close")}</button>
    </div>`;
  }

  /** A press beside the text is meant for the text; one on a button leaves the focus, and the caret, where it is. */
  #pressed(event: MouseEvent): void {
    const target = event.target as Element;
    if (target.closest(".composer-input, .menu")) return;
    event.preventDefault();
    if (!target.closest("button") && this.#blocked === null) this.#editor.focus();
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
