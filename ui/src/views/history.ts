/** The list of the reader's threads, a panel over the conversation: open one, rename, delete, filter by title. */

import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { ThreadMetadata } from "../core/wire.ts";
import { visible } from "../markdown/visible.ts";
import type { Context } from "./context.ts";
import { confirm, prompt } from "./dialog.ts";
import { icon } from "./icon.ts";
import { type MenuItem, menuButton } from "./menu.ts";

/** Longer titles are refused by servers. */
const TITLE_LENGTH = 512;

export class HistoryPanel {
  readonly #context: Context;
  readonly #choose: (threadId: string | null) => void;
  #open = false;
  /** What had the focus before the panel, here or in the page. */
  #opener: Element | null = null;
  /** Where the focus goes once the panel is drawn as it is now. */
  #focusNext: (() => HTMLElement | null | undefined) | null = null;
  /** The end of the list: when it comes into view, the next page is loaded. */
  readonly #end = new IntersectionObserver((entries) => {
    if (entries.at(-1)?.isIntersecting) void this.#more();
  });
  #watched: Element | null = null;

  /** `choose` opens a thread, or with null a new conversation; the panel is closed by then. */
  constructor(context: Context, choose: (threadId: string | null) => void) {
    this.#context = context;
    this.#choose = choose;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  open(): void {
    if (this.#open) return;
    const { root, history } = this.#context;
    this.#open = true;
    this.#opener = root.activeElement ?? document.activeElement;
    this.#focusNext = () => root.getElementById("history-close");
    history.setFilter("");
    void history.refresh();
    this.#context.update();
    this.#context.emit("chatkit.history.open");
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    const hadFocus = this.#panel?.matches(":focus-within");
    this.#focusNext = hadFocus ? () => this.#opener as HTMLElement | null : null;
    this.#context.update();
    this.#context.emit("chatkit.history.close");
  }

  render(): TemplateResult | typeof nothing {
    if (!this.#open) return nothing;
    const { words, options, history } = this.#context;
    const { threads, filter } = history.state;
    const button = (id: string, label: string, name: string, click: () => void): TemplateResult =>
      html`<button type="button" id=${id} class="ck-icon-button" aria-label=${label} title=${label} @click=${click}>${icon(name)}</button>`;
    return html`<div class="history-scrim" @click=${() => this.close()}></div>
      <div
        class="history"
        part="history"
        role="dialog"
        aria-modal="true"
        aria-labelledby="history-title"
        @keydown=${(event: KeyboardEvent) => this.#keydown(event)}
      >
        <div class="history-head">
          ${button("history-close", words.t("history.close"), "back", () => this.close())}
          <div class="history-title" id="history-title" role="heading" aria-level=${options.headingLevel ?? 2}>
            ${words.t("history.title")}
          </div>
          ${button("history-new", words.t("header.new"), "compose", () => this.#pick(null))}
        </div>
        <div class="history-filter">
          ${icon("search")}
          <input
            class="ck-field"
            type="search"
            aria-label=${words.t("history.filter")}
            placeholder=${words.t("history.filter")}
            .value=${filter}
            @input=${(event: InputEvent) => history.setFilter((event.target as HTMLInputElement).value)}
          />
        </div>
        <div class="ck-hidden" role="status">${filter && words.t("history.count", { count: threads.length })}</div>
        ${this.#list()}
      </div>`;
  }

  /** Moves the focus, and watches the end of the list. */
  afterRender(): void {
    this.#focusNext?.()?.focus();
    this.#focusNext = null;
    const end = this.isOpen ? this.#context.root.querySelector(".history-end") : null;
    if (end === this.#watched) return;
    this.#watched = end;
    this.#watch();
  }

  destroy(): void {
    this.#end.disconnect();
  }

  get #panel(): HTMLElement | null {
    return this.#context.root.querySelector(".history");
  }

  /** An end that is in view from the start is reported too. */
  #watch(): void {
    this.#end.disconnect();
    if (this.#watched) this.#end.observe(this.#watched);
  }

  async #more(): Promise<void> {
    await this.#context.history.loadMore();
    this.#watch();
  }

  #list(): TemplateResult {
    const { words, history } = this.#context;
    const { threads, filter, loaded, loading, hasMore, error } = history.state;
    const empty = loaded && threads.length === 0 && !error;
    return html`<div class="history-scroll">
      ${empty ? html`<p class="history-note">${words.t(filter ? "history.noMatch" : "history.empty")}</p>` : nothing}
      <ul class="history-list" role="list" aria-labelledby="history-title" aria-busy=${loading}>
        ${repeat(
          threads,
          ({ id }) => id,
          (thread) => this.#row(thread),
        )}
      </ul>
      ${
        error
          ? html`<p class="history-note" role="alert">${words.t("history.failed")}</p>
              <button type="button" class="ck-button history-more" @click=${() => history.refresh()}>${words.t("error.retry")}</button>`
          : nothing
      }
      ${loading ? html`<p class="history-note" role="status">${words.t("history.loading")}</p>` : nothing}
      ${
        hasMore && !loading && !error
          ? html`<button type="button" class="ck-button history-more" @click=${() => history.loadMore()}>${words.t("history.more")}</button>`
          : nothing
      }
      ${hasMore && !error && !filter ? html`<div class="history-end"></div>` : nothing}
    </div>`;
  }

  #row(thread: ThreadMetadata): TemplateResult {
    const { words, conversation } = this.#context;
    const current = thread.id === conversation.state.threadId;
    const title = this.#title(thread);
    return html`<li class="history-row" data-thread=${thread.id}>
      <button type="button" class="history-item" part="history-item" aria-current=${current ? "true" : nothing} @click=${() => this.#pick(thread.id)}>
        <span class="history-name" dir="auto">${title}</span>
        <span class="history-time">${words.relativeTime(thread.created_at ?? "")}</span>
      </button>
      ${this.#menu(thread, title)}
    </li>`;
  }

  #menu(thread: ThreadMetadata, title: string): TemplateResult | typeof nothing {
    const { words, options } = this.#context;
    const { showRename = true, showDelete = true } = options.history ?? {};
    const items: MenuItem[] = [];
    if (showRename) items.push({ id: "rename", label: words.t("history.rename"), icon: "pencil" });
    if (showDelete) items.push({ id: "delete", label: words.t("history.delete"), icon: "trash", danger: true });
    if (items.length === 0) return nothing;
    return menuButton(this.#context, {
      id: `history-menu-${thread.id}`,
      label: words.t("history.options", { title }),
      icon: "dots-horizontal",
      className: "ck-icon-button history-options",
      items,
      onSelect: (id) => void (id === "rename" ? this.#rename(thread, title) : this.#remove(thread, title)),
    });
  }

  #title(thread: ThreadMetadata): string {
    return visible(thread.title ?? "") || this.#context.words.t("thread.untitled");
  }

  #pick(threadId: string | null): void {
    this.close();
    this.#focusNext = null;
    this.#choose(threadId);
  }

  async #rename(thread: ThreadMetadata, old: string): Promise<void> {
    const { words, history, conversation, announce } = this.#context;
    const title = await prompt(this.#context, {
      title: words.t("history.renameTitle"),
      label: words.t("history.renameLabel"),
      value: thread.title ? old : "",
      maxLength: TITLE_LENGTH,
      action: words.t("dialog.save"),
    });
    if (title === null || title === thread.title) return;
    await this.#attempt("history.renameFailed", async () => {
      await history.rename(thread.id, title);
      announce(words.t("history.renamed", { title }));
      // What the conversation knows of the thread comes from the server alone.
      if (conversation.state.threadId === thread.id) void conversation.refresh();
    });
  }

  async #remove(thread: ThreadMetadata, title: string): Promise<void> {
    const { words, history, conversation, announce, root } = this.#context;
    const sure = await confirm(this.#context, {
      title: words.t("history.deleteTitle"),
      text: words.t("history.deleteText", { title }),
      action: words.t("history.delete"),
      danger: true,
    });
    if (!sure) return;
    const place = history.state.threads.findIndex(({ id }) => id === thread.id);
    await this.#attempt("history.deleteFailed", async () => {
      await history.remove(thread.id);
      announce(words.t("history.deleted", { title }));
      this.#focusNext = () => {
        const rows = root.querySelectorAll<HTMLElement>(".history-item");
        return rows[Math.min(place, rows.length - 1)] ?? root.querySelector<HTMLElement>(".history input");
      };
      if (conversation.state.threadId === thread.id) void conversation.open(null);
      this.#context.update();
    });
  }

  async #attempt(failed: "history.renameFailed" | "history.deleteFailed", work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      this.#context.toast(this.#context.words.t(failed, { reason: error.message }), "error");
      this.#context.error(error);
    }
  }

  #keydown(event: KeyboardEvent): void {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.preventDefault();
    event.stopPropagation();
    this.close();
  }
}
