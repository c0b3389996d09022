/** The list of mentions or commands: what the reader searches for, what was found, which one is active. */

import type { Context } from "../context.ts";
import { step } from "../menu.ts";
import { queryFrom, type Trigger, triggerAt } from "./trigger.ts";

export interface Suggestion {
  id: string;
  label: string;
  description?: string | undefined;
  icon?: string | undefined;
  group?: string | undefined;
  /** Called after the list has closed. What was typed to find it is between the two offsets. */
  pick(start: number, end: number): void;
}

/** Where suggestions come from. */
export interface Source {
  /** What is there at once. */
  own: readonly Suggestion[];
  /** Asks the page; undefined is a failure. */
  ask?: () => Promise<readonly Suggestion[] | undefined>;
}

export interface OpenList {
  /** An opened level of a command has kind "level" and no character that opened it. */
  kind: Trigger["kind"] | "level";
  start: number;
  end: number;
  query: string;
  status: "searching" | "found" | "failed";
  suggestions: readonly Suggestion[];
  active: number;
}

const SEARCH_AFTER_MS = 150;

export class Suggestions {
  #open: OpenList | null = null;
  #level: readonly Suggestion[] = [];
  /** Where the reader closed a list; it stays closed while they write on there. */
  #dismissed = -1;
  #waiting: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly context: Pick<Context, "words" | "announce" | "update">,
    private readonly kinds: () => string,
    private readonly source: (kind: Trigger["kind"], query: string) => Source,
  ) {}

  get open(): OpenList | null {
    return this.#open;
  }

  /** Follows the reader: `typed` opens a list, a caret that only moves can close one. */
  follow(text: string, caret: number, typed: boolean): void {
    if (this.#open?.kind === "level") {
      const query = queryFrom(text, this.#open.start, caret);
      if (query === null) this.close();
      else if (query !== this.#open.query) this.#show("level", this.#open.start, caret, query);
      return;
    }
    const trigger = triggerAt(text, caret, this.kinds());
    if (!trigger) {
      this.#dismissed = -1;
      this.close();
    } else if (trigger.start !== this.#dismissed) {
      const same = this.#open?.start === trigger.start && this.#open.kind === trigger.kind;
      if (same && this.#open?.query === trigger.query) return;
      if (same || typed) this.#show(trigger.kind, trigger.start, caret, trigger.query);
      else this.close();
    }
  }

  /** Opens the next level of a command at the caret. */
  openLevel(suggestions: readonly Suggestion[], caret: number): void {
    this.close();
    this.#level = suggestions;
    this.#show("level", caret, caret, "");
  }

  close(): void {
    clearTimeout(this.#waiting);
    if (!this.#open) return;
    this.#open = null;
    this.context.update();
  }

  /** Returns whether the key was for the list. */
  key(event: KeyboardEvent): boolean {
    const open = this.#open;
    if (!open || event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return false;
    if (event.key === "Escape") {
      event.stopPropagation();
      this.#dismissed = open.start;
      this.close();
      return true;
    }
    const next = step(event.key, open.active, open.suggestions.length);
    if (next !== undefined) {
      this.#set({ ...open, active: next });
      return true;
    }
    if (event.key === "Enter") return this.enter();
    if (event.key !== "Tab" || open.suggestions.length === 0) return false;
    this.pick(open.active);
    return true;
  }

  /** Picks the active one. Returns whether Enter was for the list: also while what the reader means is searched for. */
  enter(): boolean {
    const open = this.#open;
    if (!open) return false;
    if (open.suggestions.length > 0) this.pick(open.active);
    return open.suggestions.length > 0 || open.status === "searching";
  }

  pick(index: number): void {
    const open = this.#open;
    this.close();
    if (open) open.suggestions[index]?.pick(open.start, open.end);
  }

  #set(open: OpenList): void {
    this.#open = open;
    this.context.update();
  }

  #show(kind: OpenList["kind"], start: number, end: number, query: string): void {
    clearTimeout(this.#waiting);
    const before = this.#open?.kind === kind ? this.#open.suggestions : [];
    const { own, ask }: Source = kind === "level" ? { own: this.#level } : this.source(kind, query);
    const matches = ({ label }: Suggestion) => label.toLocaleLowerCase().includes(query.toLocaleLowerCase());
    const matching = own.filter(matches);
    // What was found for less of the word stays as far as it fits, so that the list does not flicker.
    const ownIds = new Set(own.map(({ id }) => id));
    const kept = ask ? before.filter((suggestion) => !ownIds.has(suggestion.id) && matches(suggestion)) : [];
    const status = ask ? "searching" : "found";
    const open: OpenList = { kind, start, end, query, status, suggestions: [...matching, ...kept], active: 0 };
    this.#set(open);
    if (!ask) this.#announce(open);
    else this.#waiting = setTimeout(() => void this.#search(open, matching, ask), SEARCH_AFTER_MS);
  }

  async #search(asked: OpenList, own: readonly Suggestion[], ask: NonNullable<Source["ask"]>): Promise<void> {
    const found = await ask();
    const now = this.#open;
    if (!now || now.query !== asked.query || now.start !== asked.start || now.kind !== asked.kind) return;
    const suggestions = [...own, ...(found ?? [])];
    const active = suggestions.findIndex(({ id }) => id === now.suggestions[now.active]?.id);
    const open: OpenList = {
      ...now,
      status: found ? "found" : "failed",
      suggestions,
      active: now.active > 0 ? Math.max(0, active) : 0,
    };
    this.#set(open);
    this.#announce(open);
  }

  #announce({ status, suggestions }: OpenList): void {
    const { context } = this;
    const count = suggestions.length;
    if (status === "failed") context.announce(context.words.t("composer.searchFailed"));
    else if (count === 0) context.announce(context.words.t("composer.noResults"));
    else context.announce(context.words.t("composer.results", { count }));
  }
}
