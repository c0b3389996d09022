/** Signs at places of a text, such as citations: which block each belongs to and where in it, behind what it must not break. */

export interface Marker {
  /** In Unicode code points of the text. */
  readonly index: number;
  /** Anything that Lit renders. */
  readonly content: unknown;
}

export interface Mark {
  /** In UTF-16 units: of the text at first, then of the block, then of the line that is being drawn. */
  readonly at: number;
  readonly content: unknown;
}

/** The markers that have a place in the text, in its order; places count in the text with "\r\n" as "\n". */
export function place(text: string, markers: readonly Marker[]): Mark[] {
  const sorted = markers.filter(({ index }) => Number.isInteger(index) && index >= 0).sort((a, b) => a.index - b.index);
  const marks: Mark[] = [];
  let [points, removed, at] = [0, 0, 0];
  for (const { index, content } of sorted) {
    for (; points < index && at < text.length; points++) {
      const code = text.codePointAt(at)!;
      if (code === 13 && text.charCodeAt(at + 1) === 10) removed++;
      at += code > 0xffff ? 2 : 1;
    }
    if (points < index) break;
    marks.push({ at: at - removed, content });
  }
  return marks;
}

/** What belongs to each of the blocks; a mark between two belongs to the first. */
export function deal(marks: readonly Mark[], blocks: readonly { start: number }[]): (readonly Mark[])[] {
  const dealt: Mark[][] = blocks.map(() => []);
  let n = 0;
  for (const { at, content } of marks) {
    while (n + 1 < blocks.length && blocks[n + 1]!.start < at) n++;
    dealt[n]?.push({ at: Math.max(0, at - blocks[n]!.start), content });
  }
  return dealt;
}

/** Gives the marks of one block while its lines of text are drawn one after the other. */
export class Placement {
  readonly #raw: string;
  readonly #marks: readonly Mark[];
  #next = 0;
  /** Where in the block's markdown the lines so far end. */
  #cursor = 0;
  #line: Mark[] = [];

  constructor(raw: string, marks: readonly Mark[]) {
    this.#raw = raw;
    this.#marks = marks;
  }

  /** A line of text begins: the block's markdown without what indents or quotes it, so each row is looked up. */
  begin(line: string): void {
    this.#line = [];
    let local = 0;
    for (const row of line.split("\n")) {
      const found = this.#raw.indexOf(row, this.#cursor);
      const start = found < 0 ? this.#cursor : found;
      const end = found < 0 ? start : start + row.length;
      for (let mark = this.#marks[this.#next]; mark && mark.at <= end; mark = this.#marks[++this.#next]) {
        this.#line.push({ at: local + Math.max(0, mark.at - start), content: mark.content });
      }
      this.#cursor = end;
      local += row.length + 1;
    }
    // What is behind the last row in the same line or cell is at its end.
    const rest = this.#raw.slice(this.#cursor).trimEnd().search(/[|\n]/);
    const limit = rest < 0 ? Number.POSITIVE_INFINITY : this.#cursor + rest;
    for (let mark = this.#marks[this.#next]; mark && mark.at <= limit; mark = this.#marks[++this.#next]) {
      this.#line.push({ at: local, content: mark.content });
    }
  }

  /** Where the next mark of the line is; Infinity where there is none. */
  get next(): number {
    return this.#line[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** The marks of the line up to a place in it; all that are left without one. */
  take(until = Number.POSITIVE_INFINITY): unknown[] {
    const taken: unknown[] = [];
    while (this.#line.length > 0 && this.#line[0]!.at <= until) taken.push(this.#line.shift()!.content);
    return taken;
  }

  /** What had no line to be in. */
  rest(): unknown[] {
    const left = this.#marks.slice(this.#next).map(({ content }) => content);
    this.#next = this.#marks.length;
    return left;
  }
}
