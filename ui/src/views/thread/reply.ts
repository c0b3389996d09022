/** A button beside text that was selected in an answer: it quotes the text in the composer. */

import { html, nothing, type TemplateResult } from "lit";
import type { Context } from "../context.ts";
import { icon } from "../icon.ts";

interface Selected {
  text: string;
  range: Range;
  /** The turn's element, which the button stands in. */
  turn: HTMLElement;
}

export class Reply {
  readonly #context: Context;
  readonly #quote: (text: string) => void;
  readonly #ending = new AbortController();
  #selected: Selected | null = null;

  constructor(context: Context, quote: (text: string) => void) {
    this.#context = context;
    this.#quote = quote;
    document.addEventListener("selectionchange", () => this.#changed(), { signal: this.#ending.signal });
  }

  destroy(): void {
    this.#ending.abort();
  }

  /** The key of the turn in which text is selected. */
  get turnKey(): string | null {
    return this.#selected?.turn.dataset.turn ?? null;
  }

  /** In the turn that has `turnKey`, after its text, so that Tab leads from the selection to it. */
  render(key: string): TemplateResult | typeof nothing {
    if (key !== this.turnKey) return nothing;
    return html`<button
      type="button"
      class="thread-reply ck-button"
      part="reply-button"
      @pointerdown=${(event: Event) => event.preventDefault()}
      @click=${this.#press}
    >${icon("reply")}${this.#context.words.t("message.reply")}</button>`;
  }

  /** Puts the button below the end of the selection, inside its turn. */
  afterRender(): void {
    const button = this.#selected?.turn.querySelector<HTMLElement>(".thread-reply");
    if (!this.#selected || !button) return;
    const turn = this.#selected.turn.getBoundingClientRect();
    const end =
      Array.from(this.#selected.range.getClientRects()).at(-1) ?? this.#selected.range.getBoundingClientRect();
    const left = Math.min(Math.max(end.right - button.offsetWidth, turn.left), turn.right - button.offsetWidth);
    button.style.setProperty("left", `${left - turn.left}px`);
    button.style.setProperty("top", `${end.bottom - turn.top + 6}px`);
  }

  readonly #press = (): void => {
    const text = this.#selected?.text;
    selectionOf(this.#context.root)?.removeAllRanges();
    this.#select(null);
    if (text) this.#quote(text);
  };

  #changed(): void {
    const selection = selectionOf(this.#context.root);
    const range = selection && rangeOf(selection, this.#context.root);
    const text = (selection?.toString() || range?.toString() || "").trim();
    const message = range && elementOf(range.commonAncestorContainer)?.closest(".message-assistant");
    const turn = message?.closest<HTMLElement>(".thread-turn");
    this.#select(range && turn && text ? { text, range, turn } : null);
  }

  #select(selected: Selected | null): void {
    if (!selected && !this.#selected) return;
    this.#selected = selected;
    this.#context.update();
  }
}

function elementOf(node: Node): Element | null {
  return node instanceof Element ? node : node.parentElement;
}

/** Chromium keeps a selection of its own for each shadow root. */
function selectionOf(root: ShadowRoot): Selection | null {
  return (root as { getSelection?(): Selection | null }).getSelection?.() ?? document.getSelection();
}

/** What is selected inside the root, as a range that lives there. */
function rangeOf(selection: Selection, root: ShadowRoot): Range | null {
  if (selection.rangeCount === 0) return null;
  const inside = selection.getComposedRanges?.({ shadowRoots: [root] })[0] ?? selection.getRangeAt(0);
  if (inside.startContainer.getRootNode() !== root || inside.endContainer.getRootNode() !== root) return null;
  const range = document.createRange();
  range.setStart(inside.startContainer, inside.startOffset);
  range.setEnd(inside.endContainer, inside.endOffset);
  return range.collapsed ? null : range;
}
