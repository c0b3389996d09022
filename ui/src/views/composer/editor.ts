/**
 * The field to write in: text that the browser edits, with tags as whole pieces between it. Typing, spelling help and
 * input methods stay the browser's; line breaks, pasting, tags and undo are ours.
 */

import { type Draft, EMPTY, plain, readable, slice, splice, TAG, type Tag } from "./draft.ts";
import { Field, type Selected } from "./field.ts";
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

export class Editor {
  readonly #field = new Field();
  #draft: Draft = EMPTY;
  #selected: Selected = { start: 0, end: 0 };
  #undo = new Undo({ draft: EMPTY, start: 0, end: 0 });
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
    // `selectionchange` comes late: before anything happens to the selection it is read.
    for (const type of ["keydown", "beforeinput", "paste", "copy", "cut"])
      element.addEventListener(type, this.#selectionChanged);
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
      if (!this.#pointed) this.#field.select(this.#selected);
      document.addEventListener("selectionchange", this.#selectionChanged);
    });
    element.addEventListener("blur", () => this.#left());
  }

  get element(): HTMLElement {
    return this.#field.element;
  }

  get draft(): Draft {
    return this.#draft;
  }

  /** Where the caret is, or was when the field had the focus. */
  get caret(): number {
    return this.#selected.end;
  }

  enable(enabled: boolean): void {
    this.#field.enable(enabled);
  }

  /** Gives the field the focus, the caret where it was. */
  focus(): void {
    this.element.focus({ preventScroll: true });
  }

  /** Gives the focus up: a browser does not say so when it takes the field away. */
  leave(): void {
    this.element.blur();
    this.#left();
  }

  #left(): void {
    this.#pointed = false;
    document.removeEventListener("selectionchange", this.#selectionChanged);
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
    let { start, end } = (range && this.#field.offsets(range)) ?? this.#selected;
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

  // --- between the draft and the field ---------------------------------------------------------------------------

  #changed(change: Change): void {
    this.#undo.record({ draft: this.#draft, ...this.#selected }, change, performance.now());
    this.#listener.changed(change !== "other");
  }

  /** Takes over what the browser has edited. */
  #read(change: Change): void {
    const range = this.#field.selection();
    const { text, tags, tidy } = this.#field.read();
    const caret = Math.min(this.#selected.start, text.length);
    this.#draft = { text, tags };
    this.#selected = (range && this.#field.offsets(range)) ?? { start: caret, end: caret };
    if (this.#composing) {
      this.#listener.changed(true);
      return;
    }
    if (!tidy) this.#show({ draft: this.#draft, ...this.#selected });
    // Not the draft of before: what was composed is in that already.
    const { draft } = this.#undo.present;
    if (text !== draft.text || tags.length !== draft.tags.length) this.#changed(change);
  }

  #show({ draft, start, end }: Moment): void {
    this.#draft = draft;
    this.#selected = { start, end };
    this.#field.show(draft);
    if (this.#field.focused) this.#field.select(this.#selected);
  }

  #readSelection(): void {
    const range = this.#field.selection();
    const found = range && this.#field.offsets(range);
    if (!found || this.#composing) return;
    const { start, end } = this.#selected;
    const inTag = this.#field.isWithinTag(range);
    this.#selected = inTag && range.collapsed ? { start: found.end, end: found.end } : found;
    if (inTag) this.#field.select(this.#selected);
    if (this.#selected.start === start && this.#selected.end === end) return;
    this.#undo.moved(this.#selected.start, this.#selected.end);
    this.#listener.changed(false);
  }
}
