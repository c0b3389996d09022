/**
 * A text as blocks, kept from one version to the next. While a text grows, only its end is lexed again: the last two
 * blocks (a list may turn out to go on after what seemed to end it) and what is new. Once it is whole, all of it is.
 */

import type { Links } from "marked";
import { lex } from "./lexer.ts";
import type { Heading, Token } from "./tokens.ts";

/** The same object for as long as nothing about the block changes. */
export interface Block {
  /** Where it is in the text, in UTF-16 units. */
  readonly start: number;
  readonly token: Token;
  /** Made while the text was not whole. */
  readonly draft: boolean;
}

export interface BlockOptions {
  streaming: boolean;
  breaks: boolean;
}

const LIVE_BLOCKS = 2;
/** A long end of the text is lexed again only when it has grown by so much of its length. */
const LONG_TAIL = 16_384;
const WORTHWHILE = 1 / 32;
/** More blocks than anybody reads: the rest is one block, as it is written. */
const MAX_BLOCKS = 3_000;
/** A list, quote or paragraph longer than this, in characters, is shown as it is written. */
const MAX_LENGTH = 250_000;

export class Blocks {
  #source = "";
  #options: BlockOptions | null = null;
  #blocks: readonly Block[] = [];
  /** How many blocks are settled, and where the text after them begins. */
  #settled = 0;
  #offset = 0;
  #links: Links | null = null;
  #outline = new Outline();

  /** The blocks of the text; newlines are "\n". */
  update(source: string, options: BlockOptions): readonly Block[] {
    const before = this.#options;
    const same = before?.breaks === options.breaks;
    if (same && source === this.#source && before.streaming === options.streaming) return this.#blocks;
    if (!options.streaming) this.#finish(source, options);
    else {
      const grows = same && before.streaming && source.startsWith(this.#source);
      if (!grows) this.#restart();
      const tail = this.#source.length - this.#offset;
      if (grows && tail > LONG_TAIL && source.length - this.#source.length < tail * WORTHWHILE) return this.#blocks;
      this.#grow(source, options);
    }
    this.#source = source;
    this.#options = options;
    return this.#blocks;
  }

  #restart(): void {
    this.#blocks = [];
    this.#settled = 0;
    this.#offset = 0;
    this.#links = null;
    this.#outline = new Outline();
  }

  #grow(source: string, options: BlockOptions): void {
    if (this.#settled >= MAX_BLOCKS) {
      const rest: Block = {
        start: this.#offset,
        token: { type: "written", raw: source.slice(this.#offset) },
        draft: true,
      };
      this.#blocks = [...this.#blocks.slice(0, this.#settled), rest];
      return;
    }
    const { tokens, links } = lex(source.slice(this.#offset), {
      ...options,
      ...(this.#links && { links: this.#links }),
    });
    const made = blocksOf(tokens, this.#offset, true);
    const settling = made.slice(0, -LIVE_BLOCKS);
    const live = made.slice(settling.length);
    for (const { token } of settling) this.#outline.number(token);
    const outline = this.#outline.copy();
    for (const { token } of live) outline.number(token);
    this.#blocks = [...this.#blocks.slice(0, this.#settled), ...made];
    this.#settled += settling.length;
    if (settling.length > 0) this.#offset = live[0]!.start;
    this.#links = links;
  }

  /** What is there already and comes out the same stays, so that it is not drawn again. */
  #finish(source: string, options: BlockOptions): void {
    const { tokens, links } = lex(source, options);
    const settled = this.#options?.breaks === options.breaks ? this.#blocks.slice(0, this.#settled) : [];
    this.#restart();
    const made = blocksOf(tokens, 0, false);
    for (const { token } of made) this.#outline.number(token);
    // A reference may be defined after it is used.
    let same = Object.keys(links).length === 0;
    this.#blocks = made.map((block, n) => {
      const old = settled[n];
      same &&= old !== undefined && old.token.raw === block.token.raw && old.start === block.start;
      return same && old ? old : block;
    });
  }
}

function blocksOf(tokens: readonly Token[], offset: number, draft: boolean): Block[] {
  const blocks: Block[] = [];
  let start = offset;
  for (const [n, token] of tokens.entries()) {
    if (blocks.length === MAX_BLOCKS) {
      const rest = tokens.slice(n).map(({ raw }) => raw);
      blocks.push({ start, token: { type: "written", raw: rest.join("") }, draft });
      break;
    }
    if (token.type !== "space") {
      const long = token.raw.length > MAX_LENGTH && token.type !== "code" && !token.raw.includes("](data:image/");
      blocks.push({ start, token: long ? { type: "written", raw: token.raw } : token, draft });
    }
    start += token.raw.length;
  }
  return blocks;
}

/** Levels of headings without jumps: the outermost is 0 whatever its marks, and each goes at most one deeper. */
class Outline {
  #depths: number[] = [];

  copy(): Outline {
    const copy = new Outline();
    copy.#depths = [...this.#depths];
    return copy;
  }

  /** Gives every heading in the block its level. */
  number(token: Token): void {
    if (token.type === "heading") {
      while (this.#depths.length > 0 && this.#depths.at(-1)! >= token.depth) this.#depths.pop();
      (token as Heading).level = this.#depths.length;
      this.#depths.push(token.depth);
    } else if (token.type === "list") {
      for (const item of token.items) for (const child of item.tokens) this.number(child as Token);
    } else if (token.type === "blockquote") for (const child of token.tokens) this.number(child as Token);
  }
}
