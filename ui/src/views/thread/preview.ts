/**
 * The card that tells about a tag, a source or an entity while the pointer or the focus is on it. It stays while the
 * pointer is on the card, and goes with Esc.
 */

import type { Entity } from "@openai/chatkit";
import { html, noChange, nothing, type TemplateResult } from "lit";
import { Directive, directive, type ElementPart } from "lit/directive.js";
import type { WidgetNode } from "../../core/wire.ts";
import type { Context } from "../context.ts";
import { keepPlaced, place } from "../place.ts";

export interface Subject {
  title: string;
  /** What is known at once; without it only what the page says about `entity` is shown. */
  body?: () => TemplateResult;
  /** Asks the page's `entities.onRequestPreview`. */
  entity?: Entity | undefined;
  /** A click opens the card: there is nothing else that it could do. */
  opensOnClick?: boolean;
}

const OPEN_AFTER_MS = 250;
const CLOSE_AFTER_MS = 200;
const CARD = "preview-card";

export class Preview {
  readonly #context: Context;
  readonly #widget: (node: WidgetNode) => unknown;
  readonly #subjects = new WeakMap<Element, Subject>();
  readonly #previews = new Map<string, WidgetNode | null>();
  readonly #ending = new AbortController();
  #anchor: Element | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #unplace: (() => void) | null = null;

  /** `widget` draws what the page gives as a preview. */
  constructor(context: Context, widget: (node: WidgetNode) => unknown) {
    this.#context = context;
    this.#widget = widget;
    const options = { capture: true, signal: this.#ending.signal };
    document.addEventListener(
      "keydown",
      (event) => {
        if (event.key !== "Escape" || !this.#anchor) return;
        event.stopPropagation();
        event.preventDefault();
        this.close();
      },
      options,
    );
  }

  destroy(): void {
    this.close();
    this.#ending.abort();
  }

  /** Another conversation: what was asked about its entities is forgotten. */
  reset(): void {
    this.close();
    this.#previews.clear();
  }

  describe(anchor: Element, subject: Subject): void {
    this.#subjects.set(anchor, subject);
  }

  // --- where the pointer and the focus are; the thread calls these for everything inside it ---

  readonly over = (event: PointerEvent): void => {
    const anchor = this.#anchorOf(event);
    if (event.pointerType === "touch") return;
    if (anchor) this.#later(OPEN_AFTER_MS, () => this.#open(anchor));
    else if (this.#anchor && !this.#isInside(event)) this.#later(CLOSE_AFTER_MS, () => this.close());
    else clearTimeout(this.#timer);
  };

  readonly focused = (event: FocusEvent): void => {
    if (event.type === "focusin") {
      const anchor = this.#anchorOf(event);
      if (anchor?.matches(":focus-visible")) this.#open(anchor);
    } else if (event.relatedTarget instanceof Node && !this.#card?.contains(event.relatedTarget)) this.close();
  };

  readonly clicked = (event: Event): void => {
    const anchor = this.#anchorOf(event);
    if (anchor && this.#subjects.get(anchor)?.opensOnClick) this.#open(anchor);
    else if (!this.#isInside(event)) this.close();
  };

  // --- drawing ---

  render(): TemplateResult | typeof nothing {
    const subject = this.#anchor && this.#subjects.get(this.#anchor);
    if (!subject) return nothing;
    const { words } = this.#context;
    const { entity } = subject;
    const preview = entity ? this.#previews.get(entity.id) : null;
    const asked = Boolean(entity && this.#asks(entity));
    return html`<div
      id=${CARD}
      class="preview"
      part="preview"
      role="group"
      popover="manual"
      aria-label=${words.t("answer.entityPreview", { title: subject.title })}
    >
      ${
        preview
          ? this.#widget(preview)
          : html`${subject.body?.() ?? html`<div class="preview-title" dir="auto">${subject.title}</div>`}
          ${
            asked && preview === undefined
              ? html`<div class="preview-loading" role="status">${words.t("answer.previewLoading")}</div>`
              : nothing
          }`
      }
    </div>`;
  }

  afterRender(): void {
    const anchor = this.#anchor;
    if (anchor && !anchor.isConnected) this.close();
    if (!anchor?.isConnected) return;
    const card = this.#card;
    if (!card) return;
    if (!card.matches(":popover-open")) card.showPopover();
    this.#unplace?.();
    this.#unplace = keepPlaced(() => place(card, anchor));
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#unplace?.();
    this.#unplace = null;
    if (!this.#anchor) return;
    this.#anchor.removeAttribute("aria-describedby");
    this.#anchor = null;
    this.#context.update();
  }

  #open(anchor: Element): void {
    clearTimeout(this.#timer);
    if (anchor === this.#anchor) return;
    const subject = this.#subjects.get(anchor);
    if (!subject) return;
    const { entity } = subject;
    if (!subject.body && !(entity && this.#asks(entity))) return;
    this.close();
    this.#anchor = anchor;
    anchor.setAttribute("aria-describedby", CARD);
    if (entity) void this.#request(entity);
    this.#context.update();
  }

  #asks(entity: Entity): boolean {
    return entity.interactive === true && this.#context.options.entities?.onRequestPreview !== undefined;
  }

  async #request(entity: Entity): Promise<void> {
    const request = this.#context.options.entities?.onRequestPreview;
    if (!request || !this.#asks(entity) || this.#previews.has(entity.id)) return;
    const answer = await this.#context.callPage("entities.onRequestPreview", () => request(entity));
    const preview: unknown = answer?.preview;
    this.#previews.set(entity.id, typeof preview === "object" ? (preview as WidgetNode | null) : null);
    this.#context.update();
  }

  #later(ms: number, run: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(run, ms);
  }

  #anchorOf(event: Event): Element | undefined {
    return event
      .composedPath()
      .find((target): target is Element => target instanceof Element && this.#subjects.has(target));
  }

  get #card(): HTMLElement | null {
    return this.#context.root.getElementById(CARD);
  }

  #isInside(event: Event): boolean {
    const card = this.#card;
    return card !== null && event.composedPath().includes(card);
  }
}

class Describe extends Directive {
  render(_preview: Preview, _subject: Subject): unknown {
    return noChange;
  }

  override update(part: ElementPart, [preview, subject]: [Preview, Subject]): unknown {
    preview.describe(part.element, subject);
    return noChange;
  }
}

/** On an element: what its card tells. */
export const subject = directive(Describe);
