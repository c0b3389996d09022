/** Mentions and commands: completed while they are typed, and what the chosen one does to the text. */

import type { TemplateResult } from "lit";
import type { Context } from "../context.ts";
import { EMPTY, plain, splice, type Tag, tagged } from "./draft.ts";
import type { Editor } from "./editor.ts";
import { ListPanel, suggestionList } from "./list.ts";
import { type BuiltIn, commands, mentions, type Target } from "./sources.ts";
import { type OpenList, Suggestions } from "./suggestions.ts";
import { opensAt } from "./trigger.ts";

export class Completion {
  readonly #suggestions: Suggestions;
  readonly #panel = new ListPanel();

  /** `builtIns` are the composer's own actions, as "/" offers them too. */
  constructor(
    private readonly context: Context,
    private readonly editor: Editor,
    builtIns: () => readonly BuiltIn[],
  ) {
    const target: Target = {
      replaceWithTag: (start, end, tag) => this.#insertTag(start, end, tag),
      insertTag: (tag) => this.#insertTag(editor.caret, editor.caret, tag),
      remove: (start, end) => editor.replace(start, end, EMPTY),
      openLevel: (suggestions) => {
        editor.focus();
        this.#suggestions.openLevel(suggestions, editor.caret);
      },
    };
    this.#suggestions = new Suggestions(
      context,
      () => this.#kinds(),
      (kind, query) => (kind === "@" ? mentions(context, target, query) : commands(context, target, builtIns(), query)),
    );
    editor.element.addEventListener("blur", () => this.close());
  }

  get canMention(): boolean {
    return this.context.options.entities?.onTagSearch !== undefined;
  }

  get open(): OpenList | null {
    return this.#suggestions.open;
  }

  /** After the draft, the caret or the options changed; `typed` when the reader wrote it. */
  follow(typed: boolean): void {
    this.#suggestions.follow(this.editor.draft.text, this.editor.caret, typed);
  }

  /** Returns whether the key was for the list. */
  key(event: KeyboardEvent): boolean {
    return this.#suggestions.key(event);
  }

  /** Returns whether Enter was for the list. */
  enter(): boolean {
    return this.#suggestions.enter();
  }

  close(): void {
    this.#suggestions.close();
  }

  /** Begins a mention at the caret. */
  mention(): void {
    const { editor } = this;
    editor.focus();
    editor.insert(plain(opensAt(editor.draft.text, editor.caret) ? "@" : " @"));
    this.follow(true);
  }

  render(): TemplateResult {
    return suggestionList(this.context, this.#suggestions);
  }

  /** Opens, moves or closes the list, once it is drawn. */
  afterRender(): void {
    const { root } = this.context;
    // Where nothing is open, nothing is looked for: this comes after every drawing, also of a long answer.
    this.#panel.show(root, this.open && root.querySelector(".composer-box"), this.open);
  }

  destroy(): void {
    this.close();
    this.#panel.show(this.context.root, null, null);
  }

  #kinds(): string {
    return (this.canMention ? "@" : "") + (this.context.options.commands?.enabled ? "/" : "");
  }

  /** The tag, and a space to write on after it. */
  #insertTag(start: number, end: number, tag: Tag): void {
    const { editor, context } = this;
    const spaced = /^\s/.test(editor.draft.text.slice(end)) ? tagged(tag) : splice(tagged(tag), 1, 1, plain(" "));
    editor.focus();
    editor.replace(start, end, spaced);
    context.announce(context.words.t("composer.tagAdded", { title: tag.text }));
  }
}
