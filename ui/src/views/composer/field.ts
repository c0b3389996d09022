/** The editable element: a draft shown in it, read back from it, and the selection as offsets in the draft's text. */

import { render } from "lit";
import { icon } from "../icon.ts";
import { type Draft, TAG, type Tag } from "./draft.ts";

export interface Selected {
  start: number;
  end: number;
}

export class Field {
  readonly element = document.createElement("div");
  readonly #tags = new WeakMap<Node, Tag>();

  constructor() {
    const { element } = this;
    element.className = "composer-input";
    element.setAttribute("part", "composer-input");
    element.spellcheck = true;
    element.dir = "auto";
    element.enterKeyHint = "send";
    this.enable(true);
  }

  get focused(): boolean {
    return (this.element.getRootNode() as Document | ShadowRoot).activeElement === this.element;
  }

  enable(enabled: boolean): void {
    const { element } = this;
    if (!enabled) {
      element.contentEditable = "false";
    } else if (element.contentEditable !== "plaintext-only" && element.contentEditable !== "true") {
      try {
        element.contentEditable = "plaintext-only";
      } catch {
        element.contentEditable = "true"; // Firefox before 136
      }
    }
  }

  show({ text, tags }: Draft): void {
    const nodes: Node[] = [];
    text.split(TAG).forEach((piece, index) => {
      const tag = tags[index - 1];
      if (tag) nodes.push(this.#chip(tag));
      if (piece) nodes.push(document.createTextNode(piece));
    });
    // A line break at the end is seen, and a caret behind a last tag, only with something behind it.
    if (nodes.length > 0) nodes.push(document.createElement("br"));
    this.element.replaceChildren(...nodes);
  }

  /** What the field holds, and whether it looks as `show` makes it. */
  read(): Draft & { tidy: boolean } {
    return this.#walk(null);
  }

  /** Where a range is; null for one outside of the field. */
  offsets(range: AbstractRange): Selected | null {
    if (!this.element.contains(range.startContainer)) return null;
    const { start, end } = this.#walk(range);
    return start === null ? null : { start, end: Math.max(start, end ?? start) };
  }

  /** Whether a range has both ends inside of one tag, where the browser lets nobody write. */
  isWithinTag({ startContainer, endContainer }: AbstractRange): boolean {
    const chip = (startContainer as Partial<Element>).closest?.(".composer-tag") ?? startContainer.parentElement;
    return chip !== null && this.#tags.has(chip) && chip.contains(endContainer);
  }

  /** The document's selection, also from inside a shadow root, where every engine has a way of its own. */
  selection(): AbstractRange | null {
    const selection = document.getSelection();
    const root = this.element.getRootNode();
    if (!selection || !(root instanceof ShadowRoot)) return selection?.rangeCount ? selection.getRangeAt(0) : null;
    if (selection.getComposedRanges) {
      try {
        return selection.getComposedRanges({ shadowRoots: [root] })[0] ?? null;
      } catch {
        // Safari before 18.4 takes the roots themselves.
        const ranges = selection.getComposedRanges as unknown as (root: ShadowRoot) => StaticRange[];
        return ranges.call(selection, root)[0] ?? null;
      }
    }
    const own = (root as { getSelection?: () => Selection | null }).getSelection?.() ?? selection;
    return own.rangeCount ? own.getRangeAt(0) : null;
  }

  /** The field looks as `show` makes it. Its end is scrolled into view, in the field and nowhere else. */
  select({ start, end }: Selected): void {
    const from = this.#point(start);
    const to = start === end ? from : this.#point(end);
    document.getSelection()?.setBaseAndExtent(from.node, from.offset, to.node, to.offset);
    this.#reveal(to);
  }

  #reveal({ node, offset }: { node: Node; offset: number }): void {
    const { element } = this;
    if (element.scrollHeight <= element.clientHeight) return;
    const range = document.createRange();
    range.setStart(node, offset);
    const caret = range.getBoundingClientRect();
    const field = element.getBoundingClientRect();
    if (caret.height === 0) {
      range.setEnd(element, element.childNodes.length);
      if (range.toString() === "") element.scrollTop = element.scrollHeight;
    } else if (caret.bottom > field.bottom) {
      element.scrollTop += caret.bottom - field.bottom;
    } else if (caret.top < field.top) {
      element.scrollTop -= field.top - caret.top;
    }
  }

  #chip(tag: Tag): HTMLElement {
    const chip = document.createElement("span");
    chip.className = "composer-tag";
    chip.contentEditable = "false";
    if (tag.icon) render(icon(tag.icon), chip);
    chip.append(tag.text);
    this.#tags.set(chip, tag);
    return chip;
  }

  /** What the field holds, and where `range` is in it. */
  #walk(range: AbstractRange | null): Draft & { start: number | null; end: number | null; tidy: boolean } {
    let text = "";
    let tidy = true;
    let start: number | null = null;
    let end: number | null = null;
    const tags: Tag[] = [];
    const pass = (node: Node, offset: number) => {
      if (range?.startContainer === node && range.startOffset === offset) start ??= text.length;
      if (range?.endContainer === node && range.endOffset === offset) end ??= text.length;
    };
    const visit = (parent: Node) => {
      parent.childNodes.forEach((child, index) => {
        pass(parent, index);
        const tag = this.#tags.get(child);
        if (tag) {
          if (child.contains(range?.startContainer ?? null)) start ??= text.length;
          text += TAG;
          if (child.contains(range?.endContainer ?? null)) end ??= text.length;
          tags.push(tag);
        } else if (child instanceof Text) {
          const data = child.data.replaceAll(TAG, "");
          if (data !== child.data) tidy = false;
          if (range?.startContainer === child) start ??= text.length + range.startOffset;
          if (range?.endContainer === child) end ??= text.length + range.endOffset;
          text += data;
        } else if (child instanceof HTMLBRElement) {
          if (child === this.element.lastChild) return;
          tidy = false;
          text += "\n";
        } else {
          tidy = false;
          if (text && !text.endsWith("\n")) text += "\n";
          visit(child);
        }
      });
      pass(parent, parent.childNodes.length);
    };
    visit(this.element);
    return { text: text.replaceAll("\r", ""), tags, tidy, start, end };
  }

  /** Where an offset is in the document. */
  #point(offset: number): { node: Node; offset: number } {
    const { element } = this;
    let left = offset;
    let index = 0;
    for (const child of element.childNodes) {
      const length = child instanceof Text ? child.length : this.#tags.has(child) ? 1 : 0;
      if (child instanceof Text && left <= length) return { node: child, offset: left };
      if (left === 0) break;
      left -= length;
      index++;
    }
    return { node: element, offset: index };
  }
}
