/**
 * The field to write in: text that the browser edits, with tags as whole pieces between it. Typing, spelling help and
 * input methods stay the browser's; line breaks, pasting, tags and undo are ours.
 */

import { render } from "lit";
import { icon } from "../icon.ts";
import { type Draft, EMPTY, plain, readable, slice, splice, TAG, type Tag } from "./draft.ts";
import { type Change, type Moment, Undo } from "./undo.ts";

export interface EditorListener {
  /** The draft or the caret is another one now; `typed` when the reader wrote it, letter by letter. */
  changed(typed: boolean): void;
  /** Enter was meant to send. */
  send(): void;
  /** Returns whether the key did something else, such as moving in an open list. */
  key(event: KeyboardEvent): boolean;
  /** Returns whether files are taken. */
  files(files: File[]): boolean;
  /** Tags that the reader deleted. */
  removed(tags: readonly Tag[]): void;
}

interface Selected {
  start: number;
  end: number;
}

export class Editor {
  readonly element = document.createElement("div");
  #draft: Draft = EMPTY;
  #selected: Selected = { start: 0, end: 0 };
  #undo = new Undo({ draft: EMPTY, start: 0, end: 0 });
  #tags = new WeakMap<Node, Tag>();
  #composing = false;
  /** The focus comes from a pointer, which says itself where the caret goes. */
  #pointed = false;
  /** Enter was pressed in an input method; whether it also sends shows only after it. */
  #enterInComposition = false;
  readonly #listener: EditorListener;
  readonly #selectionChanged = () => this.#readSelection();

  constructor(listener: EditorListener) {
    this.#listener = listener;
    const { element } = this;
    element.className = "composer-input";
    element.setAttribute("part", "composer-input");
    element.spellcheck = true;
    element.dir = "auto";
    element.enterKeyHint = "send";
    this.enable(true);
    element.addEventListener("keydown", (event) => this.#keydown(event));
    element.addEventListener("beforeinput", (event) => this.#beforeInput(event));
    element.addEventListener("input", (event) => this.#input(event as InputEvent));
    element.addEventListener("compositionstart", () => {
      this.#composing = true;
    });
    element.addEventListener("compositionend", (event) => this.#compositionEnd(event));
    element.addEventListener("paste", (event) => this.#paste(event));
    element.addEventListener("copy", (event) => this.#copy(event));
    element.addEventListener("cut", (event) => {
      if (this.#copy(event)) this.#delete(this.#selected.start, this.#selected.end);
    });
    element.addEventListener("pointerdown", () => {
      this.#pointed = true;
    });
    element.addEventListener("focus", () => {
      if (!this.#pointed) this.#select(this.#selected.start, this.#selected.end);
      document.addEventListener("selectionchange", this.#selectionChanged);
    });
    element.addEventListener("blur", () => {
      this.#pointed = false;
      document.removeEventListener("selectionchange", this.#selectionChanged);
    });
  }

  get draft(): Draft {
    return this.#draft;
  }

  /** Where the caret is, or was when the field had the focus. */
  get caret(): number {
    return this.#selected.end;
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

  /** Gives the field the focus, the caret where it was. */
  focus(): void {
    this.element.focus({ preventScroll: true });
  }

  /** Takes the place of everything; the caret goes to the end. */
  set(draft: Draft): void {
    this.replace(0, this.#draft.text.length, draft);
  }

  /** Empties the field; what was in it cannot be undone back. */
  clear(): void {
    this.#show({ draft: EMPTY, start: 0, end: 0 });
    this.#undo = new Undo({ draft: EMPTY, start: 0, end: 0 });
    this.#listener.changed(false);
  }

  /** Puts `insert` in place of what is between two offsets, the caret behind it. */
  replace(start: number, end: number, insert: Draft): void {
    const caret = start + insert.text.length;
    this.#show({ draft: splice(this.#draft, start, end, insert), start: caret, end: caret });
    this.#changed("other");
  }

  /** Puts `insert` in place of the selection. */
  insert(insert: Draft): void {
    this.replace(this.#selected.start, this.#selected.end, insert);
  }

  // --- what the reader does --------------------------------------------------------------------------------------

  #keydown(event: KeyboardEvent): void {
    const enter = event.key === "Enter" || event.code === "Enter" || event.code === "NumpadEnter";
    if (event.isComposing || event.keyCode === 229) {
      this.#enterInComposition = enter && !event.shiftKey;
      return;
    }
    this.#enterInComposition = false;
    const command = (event.metaKey || event.ctrlKey) && !event.altKey;
    if (this.#listener.key(event)) {
      event.preventDefault();
    } else if (enter) {
      event.preventDefault();
      if (event.shiftKey || event.altKey) this.insert(plain("\n"));
      else this.#listener.send();
    } else if (command && event.key.toLowerCase() === "z") {
      event.preventDefault();
      this.#travel(event.shiftKey ? "redo" : "undo");
    } else if (event.ctrlKey && !event.altKey && event.key.toLowerCase() === "y") {
      event.preventDefault();
      this.#travel("redo");
    }
  }

  /**
   * An input method that took Enter for itself (Japanese: accept the conversion) ends there; one that passes it on
   * (Korean) goes on with a line break of its own or, in some browsers, with nothing at all. Both mean: send.
   */
  #compositionEnd(event: CompositionEvent): void {
    this.#composing = false;
    if (this.#enterInComposition && /\p{Script=Hangul}$/u.test(event.data)) {
      setTimeout(() => {
        if (this.#enterInComposition) this.#sendAfterComposition();
      });
    }
    this.#read("typing");
  }

  #sendAfterComposition(): void {
    this.#enterInComposition = false;
    this.#read("typing");
    this.#listener.send();
  }

  #beforeInput(event: InputEvent): void {
    const type = event.inputType;
    if (type === "historyUndo" || type === "historyRedo") {
      event.preventDefault();
      this.#travel(type === "historyUndo" ? "undo" : "redo");
    } else if (type.startsWith("format")) {
      event.preventDefault();
    } else if (type === "insertParagraph" || type === "insertLineBreak") {
      event.preventDefault();
      if (!this.#enterInComposition) this.insert(plain("\n"));
      else if (!this.#composing) this.#sendAfterComposition();
    } else if (!this.#composing && event.cancelable) {
      this.#editAround(event);
    }
  }

  /** Edits that touch a tag, and text that is dropped, are ours; the browser would leave half of them behind. */
  #editAround(event: InputEvent): void {
    const range = event.getTargetRanges()[0];
    let { start, end } = range ? this.#offsets(range) : this.#selected;
    const deleting = event.inputType.startsWith("delete");
    if (deleting && start === end) {
      if (event.inputType.endsWith("Backward")) start = Math.max(0, start - 1);
      else end += 1;
    }
    const dropped = event.inputType === "insertFromDrop";
    if (!dropped && !this.#draft.text.slice(start, end).includes(TAG)) return;
    event.preventDefault();
    if (deleting) this.#delete(start, end);
    else this.replace(start, end, plain(event.data ?? event.dataTransfer?.getData("text/plain") ?? ""));
  }

  #delete(start: number, end: number): void {
    const { tags } = slice(this.#draft, start, end);
    this.replace(start, end, EMPTY);
    if (tags.length > 0) this.#listener.removed(tags);
  }

  #input(event: InputEvent): void {
    this.#read(event.inputType.startsWith("delete") ? "deleting" : "typing");
  }

  #paste(event: ClipboardEvent): void {
    event.preventDefault();
    const { clipboardData } = event;
    if (!clipboardData) return;
    const text = clipboardData.getData("text/plain");
    // Office programs add a picture to what they copy, file managers the file's name.
    const files = text && clipboardData.types.includes("text/html") ? [] : [...clipboardData.files];
    if (files.length > 0 && this.#listener.files(files)) return;
    if (text) this.insert(plain(text));
  }

  /** Whether there was something to copy. */
  #copy(event: ClipboardEvent): boolean {
    const { start, end } = this.#selected;
    if (start === end || !event.clipboardData) return false;
    event.preventDefault();
    event.clipboardData.setData("text/plain", readable(slice(this.#draft, start, end)));
    return true;
  }

  #travel(direction: "undo" | "redo"): void {
    const moment = this.#undo[direction]();
    if (!moment) return;
    this.#show(moment);
    this.#listener.changed(false);
  }

  // --- between the draft and the document ------------------------------------------------------------------------

  #changed(change: Change): void {
    this.#undo.record({ draft: this.#draft, ...this.#selected }, change, performance.now());
    this.#listener.changed(change !== "other");
  }

  /** Takes over what the browser has edited. */
  #read(change: Change): void {
    const range = this.#range();
    const read = this.#walk(range);
    const text = read.text.replaceAll("\r", "");
    const before = this.#draft;
    this.#draft = { text, tags: read.tags };
    this.#selected = { start: read.start, end: read.end };
    if (this.#composing) {
      this.#listener.changed(true);
      return;
    }
    if (!read.tidy) this.#show({ draft: this.#draft, ...this.#selected });
    if (text !== before.text || read.tags.length !== before.tags.length) this.#changed(change);
  }

  #show(moment: Moment): void {
    this.#draft = moment.draft;
    this.#selected = { start: moment.start, end: moment.end };
    const nodes: Node[] = [];
    moment.draft.text.split(TAG).forEach((text, index) => {
      const tag = moment.draft.tags[index - 1];
      if (tag) nodes.push(this.#chip(tag));
      if (text) nodes.push(document.createTextNode(text));
    });
    // A line break at the end is seen, and a caret behind a last tag, only with something behind it.
    if (nodes.length > 0) nodes.push(document.createElement("br"));
    this.element.replaceChildren(...nodes);
    if (this.focused) this.#select(moment.start, moment.end);
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

  #select(start: number, end: number): void {
    const from = this.#point(start);
    const to = start === end ? from : this.#point(end);
    document.getSelection()?.setBaseAndExtent(from.node, from.offset, to.node, to.offset);
    this.#selected = { start, end };
    this.#reveal(to);
  }

  /** Scrolls the field, and nothing else, so that the caret is seen. */
  #reveal({ node, offset }: { node: Node; offset: number }): void {
    const { element } = this;
    if (element.scrollHeight <= element.clientHeight) return;
    const range = document.createRange();
    range.setStart(node, offset);
    const caret = range.getBoundingClientRect();
    const field = element.getBoundingClientRect();
    if (caret.height === 0) {
      if (this.#selected.end >= this.#draft.text.length) element.scrollTop = element.scrollHeight;
    } else if (caret.bottom > field.bottom) {
      element.scrollTop += caret.bottom - field.bottom;
    } else if (caret.top < field.top) {
      element.scrollTop -= field.top - caret.top;
    }
  }

  #readSelection(): void {
    const range = this.#range();
    if (!range || this.#composing || !this.element.contains(range.startContainer)) return;
    const { start, end } = this.#offsets(range);
    if (start === this.#selected.start && end === this.#selected.end) return;
    this.#selected = { start, end };
    this.#undo.moved(start, end);
    this.#listener.changed(false);
  }

  #offsets(range: AbstractRange): Selected {
    const { start, end } = this.#walk(range);
    return { start, end };
  }

  /** The document's selection, also from inside a shadow root, where every engine has a way of its own. */
  #range(): AbstractRange | null {
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

  /** What the field holds, where `range` is in it, and whether it looks as `#show` makes it. */
  #walk(range: AbstractRange | null): Draft & Selected & { tidy: boolean } {
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
    start ??= Math.min(this.#selected.start, text.length);
    return { text, tags, tidy, start, end: Math.max(start, end ?? start) };
  }

  /** Where an offset is in the document; the field looks as `#show` makes it. */
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
