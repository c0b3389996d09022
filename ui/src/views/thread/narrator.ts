/**
 * Tells a screen reader an answer while it is written: whole sentences in batches, at most one a second, and at the end
 * the rest. What was said, joined, is the text.
 */

export interface Clock {
  /** Milliseconds. */
  now(): number;
  /** Calls `run` once after so many milliseconds; returns what prevents it. */
  after(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

const INTERVAL_MS = 1_000;

export class Narrator {
  readonly #say: (text: string) => void;
  readonly #clock: Clock;
  /** Gives the answer's text so far; read only when something may be said, since making it costs. */
  #read: (() => string) | null = null;
  #said = "";
  #ended = true;
  /** Said as they are, one by one, before and after the text. */
  readonly #opening: string[] = [];
  readonly #closing: string[] = [];
  #spokeAt = Number.NEGATIVE_INFINITY;
  #cancel: (() => void) | null = null;

  constructor(say: (text: string) => void, clock: Clock = systemClock) {
    this.#say = say;
    this.#clock = clock;
  }

  /** A new answer begins; `opening` is said first, after what is left of the answer before. */
  begin(opening: string): void {
    const rest = [this.#rest(), ...this.#closing.splice(0)].filter(Boolean).join(" ");
    this.#opening.push(...(rest ? [rest] : []), opening);
    this.#read = null;
    this.#said = "";
    this.#ended = false;
    this.#schedule();
  }

  /** There is more text. */
  progress(read: () => string): void {
    this.#read = read;
    this.#schedule();
  }

  /** The answer is whole: its rest is said, then `closing`. */
  end(closing: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#closing.push(closing);
    this.#schedule();
  }

  /** Says nothing any more. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#read = null;
    this.#opening.length = 0;
    this.#closing.length = 0;
    this.#ended = true;
  }

  #schedule(): void {
    if (this.#cancel) return;
    const wait = Math.max(0, this.#spokeAt + INTERVAL_MS - this.#clock.now());
    this.#cancel = this.#clock.after(wait, () => {
      this.#cancel = null;
      const text = this.#opening.shift() ?? (this.#next() || (this.#ended ? this.#closing.shift() : undefined));
      if (!text) return;
      this.#speak(text);
      if (this.#opening.length > 0 || this.#read || this.#closing.length > 0) this.#schedule();
    });
  }

  #speak(text: string): void {
    this.#spokeAt = this.#clock.now();
    this.#say(text);
  }

  /** The sentences that are whole and were not said yet, or all the rest when the answer is. */
  #next(): string {
    const rest = this.#rest();
    const text = this.#ended ? rest : rest.slice(0, sentencesEnd(rest));
    this.#said += text;
    return text;
  }

  #rest(): string {
    return this.#read?.().slice(this.#said.length) ?? "";
  }
}

const SENTENCE_END = /[.!?…][)\]"'”’»]*\s+|[。！？]|\n+/g;

/** How much of the text is whole sentences and lines; its end is none, for more may follow. */
export function sentencesEnd(text: string): number {
  let end = 0;
  for (const match of text.matchAll(SENTENCE_END)) end = match.index + match[0].length;
  return end;
}
