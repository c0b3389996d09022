/**
 * Tells a screen reader an answer while it is written: whole sentences in batches, at most one a second, and at the end
 * the rest. What was said, joined, is the answer's texts, a line each.
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
  /** Gives the answer's texts so far, by key; read only when something may be said, since making them costs. */
  #read: (() => ReadonlyMap<string, string>) | null = null;
  /** By the same keys: a text may grow, change or go while another grows. */
  readonly #said = new Map<string, string>();
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
    this.#ended = true;
    const rest = [this.#next(), ...this.#closing.splice(0)].filter(Boolean).join(" ");
    this.#opening.push(...(rest ? [rest] : []), opening);
    this.#read = null;
    this.#said.clear();
    this.#ended = false;
    this.#schedule();
  }

  /** There is more text. */
  progress(read: () => ReadonlyMap<string, string>): void {
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

  /** What is whole and was not said yet: of the last text its sentences, or all of it when the answer has ended. */
  #next(): string {
    const texts = [...(this.#read?.() ?? [])];
    return texts
      .map(([key, text], n) => {
        const said = this.#said.get(key) ?? "";
        const rest = restOf(text, said);
        const next = this.#ended || n < texts.length - 1 ? rest : rest.slice(0, sentencesEnd(rest));
        const line = next && !said && this.#said.size > 0 ? "\n" : "";
        if (next) this.#said.set(key, said + next);
        return line + next;
      })
      .join("");
  }
}

/** What comes after `said`; where that reads otherwise by now, what comes after its last line. */
function restOf(text: string, said: string): string {
  if (text.startsWith(said)) return text.slice(said.length);
  const line = said.trimEnd().split("\n").at(-1) ?? "";
  const at = text.lastIndexOf(line, said.length);
  return text.slice(at < 0 ? said.length : at + line.length);
}

const SENTENCE_END = /[.!?…][)\]"'”’»]*\s+|[。！？]|\n+/g;

/** How much of the text is whole sentences and lines; its end is none, for more may follow. */
export function sentencesEnd(text: string): number {
  let end = 0;
  for (const match of text.matchAll(SENTENCE_END)) end = match.index + match[0].length;
  return end;
}
