/** Undo and redo of a draft. The browser's own does not know about tags. Pure. */

import type { Draft } from "./draft.ts";

export interface Moment {
  readonly draft: Draft;
  /** The selection, as offsets in the text. */
  readonly start: number;
  readonly end: number;
}

/** Changes of the same kind in quick succession are undone together; "other" stands alone. */
export type Change = "typing" | "deleting" | "other";

const TOGETHER_MS = 1000;
const MAX_MOMENTS = 100;
/** Over all moments, in UTF-16 units. */
const MAX_LENGTH = 8_000_000;

export class Undo {
  #past: Moment[];
  #future: Moment[] = [];
  #last: { change: Change; at: number } = { change: "other", at: 0 };

  constructor(first: Moment) {
    this.#past = [first];
  }

  get present(): Moment {
    return this.#past.at(-1) as Moment;
  }

  /** `at` is in milliseconds on any clock that only goes forward. */
  record(moment: Moment, change: Change, at: number): void {
    const together = change !== "other" && change === this.#last.change && at - this.#last.at < TOGETHER_MS;
    if (together && this.#past.length > 1) this.#past.pop();
    this.#past.push(moment);
    this.#future = [];
    this.#last = { change, at };
    const longest = Math.max(2, Math.min(MAX_MOMENTS, MAX_LENGTH / (moment.draft.text.length + 1)));
    while (this.#past.length > longest) this.#past.shift();
  }

  /** Where the caret went without a change; undo brings it back there. */
  moved(start: number, end: number): void {
    this.#past.push({ draft: (this.#past.pop() as Moment).draft, start, end });
  }

  undo(): Moment | undefined {
    if (this.#past.length < 2) return undefined;
    this.#future.push(this.#past.pop() as Moment);
    this.#last = { change: "other", at: 0 };
    return this.present;
  }

  redo(): Moment | undefined {
    const moment = this.#future.pop();
    if (moment) this.#past.push(moment);
    return moment;
  }
}
