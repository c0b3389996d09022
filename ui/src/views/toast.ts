/** Short messages that go away by themselves, though not while they are pointed at or hold the focus. */

import { html, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { Context } from "./context.ts";
import { icon } from "./icon.ts";

interface Toast {
  id: number;
  text: string;
  kind: "info" | "error";
}

const SHOWN_MS = { info: 4_000, error: 9_000 };
const MOST = 3;

export class Toasts {
  readonly #context: Context;
  #toasts: readonly Toast[] = [];
  #timers = new Map<number, ReturnType<typeof setTimeout>>();
  #next = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  /** A message that is there already is shown anew. */
  show(text: string, kind: Toast["kind"]): void {
    for (const toast of this.#toasts) if (toast.text === text) this.#drop(toast.id);
    const toast = { id: this.#next++, text, kind };
    this.#toasts = [...this.#toasts, toast];
    for (const old of this.#toasts.slice(0, -MOST)) this.#drop(old.id);
    this.#expire(toast.id, SHOWN_MS[kind]);
    this.#context.update();
  }

  /** The two live regions are always there: a region is read out when something comes into it. */
  render(): TemplateResult {
    return html`<div class="toasts">
      <div role="alert">${this.#list("error")}</div>
      <div role="status">${this.#list("info")}</div>
    </div>`;
  }

  destroy(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #list(kind: Toast["kind"]): unknown {
    return repeat(
      this.#toasts.filter((toast) => toast.kind === kind),
      ({ id }) => id,
      ({ id, text }) => html`<div class="toast toast-${kind}" part="toast" data-toast=${id}>
        ${icon(kind === "error" ? "warning" : "check")}
        <span class="toast-text">${text}</span>
        <button type="button" class="ck-icon-button" aria-label=${this.#context.words.t("toast.dismiss")} @click=${() => this.#drop(id)}>
          ${icon("close")}
        </button>
      </div>`,
    );
  }

  #expire(id: number, after: number): void {
    const timer = setTimeout(() => {
      const node = this.#context.root.querySelector(`[data-toast="${id}"]`);
      if (node?.matches(":hover, :focus-within")) this.#expire(id, SHOWN_MS.info);
      else this.#drop(id);
    }, after);
    this.#timers.set(id, timer);
  }

  #drop(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.#toasts = this.#toasts.filter((toast) => toast.id !== id);
    this.#context.update();
  }
}
