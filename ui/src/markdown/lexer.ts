/** Markdown to tokens: marked's lexer with formulas, without its surprises, and with bounds on what costs time. */

import { Lexer, type Links, Tokenizer, type Tokens } from "marked";
import { isTooMuch } from "./limit.ts";
import { formulaExtensions } from "./math.ts";
import { closeTail, heldBack, isOpen, lastLeaf } from "./tail.ts";
import type { Token, Written } from "./tokens.ts";

/** Lists and quotes inside each other; deeper ones are text. */
const MAX_DEPTH = 16;
const MAX_COLUMNS = 100;
/** Cells of all tables together. */
const MAX_CELLS = 20_000;

class BoundedTokenizer extends Tokenizer {
  #depth = 0;
  #cells = MAX_CELLS;

  /** Whether this is within a list or a quote. */
  get nested(): boolean {
    return this.#depth > 0;
  }

  override blockquote(src: string): Tokens.Blockquote | undefined {
    return this.#nested(() => super.blockquote(src));
  }

  override list(src: string): Tokens.List | undefined {
    return this.#nested(() => super.list(src));
  }

  #nested<T>(tokenize: () => T | undefined): T | undefined {
    if (this.#depth >= MAX_DEPTH) return undefined;
    this.#depth++;
    try {
      return tokenize();
    } finally {
      this.#depth--;
    }
  }

  /** Rows are filled up to the header's cells, so that few characters could become very many cells. */
  override table(src: string): Tokens.Table | undefined {
    const [header] = /^[^\n]*\n {0,3}\|?[ \t]*:?-/.exec(src) ?? [];
    const columns = header?.split("|").length ?? 0;
    if (!header || columns > MAX_COLUMNS) return undefined;
    let end = 0;
    for (let rows = this.#cells / columns; rows > 0; rows--) {
      const start = end;
      end = src.indexOf("\n", start) + 1;
      if (end === start + 1) break;
      if (end === 0) end = src.length;
      if (end === src.length) break;
    }
    const token = super.table(src.slice(0, end));
    this.#cells -= columns * (token?.rows.length ?? 0);
    return token;
  }

  /** `[^1]: text` is a footnote in other flavours, and text here. */
  override def(src: string): Tokens.Def | undefined {
    const token = super.def(src);
    return token?.tag.startsWith("^") ? undefined : token;
  }

  /** A single tilde means "about" or a range. */
  override del(src: string, masked: string, before?: string): Tokens.Del | undefined {
    const token = super.del(src, masked, before);
    return token?.raw.startsWith("~~") ? token : undefined;
  }
}

export interface LexOptions {
  /** A single newline is a line break. */
  breaks: boolean;
  /** The text is not whole: what its end leaves open is closed, or hidden while it is only half a marker. */
  streaming: boolean;
  /** References that are known from the text before. */
  links?: Links;
}

/** The blocks of a text, whose `raw` joined is the text (without what is held back), and the references it defines. */
export function lex(src: string, options: LexOptions): { tokens: Token[]; links: Links } {
  const held = options.streaming ? heldBack(src) : src.length;
  let lexer = blocks(src, options);
  // A line of code or TeX is no marker, whatever it looks like.
  if (held < src.length && !isOpen(lastLeaf(lexer.tokens as Token[]))) lexer = blocks(src.slice(0, held), options);
  if (options.streaming) closeTail(lexer);
  for (const { src: line, tokens } of lexer.inlineQueue) {
    if (isTooMuch(line)) tokens.push({ type: "written", raw: line } satisfies Written);
    else lexer.inlineTokens(line, tokens);
  }
  return { tokens: lexer.tokens as Token[], links: lexer.tokens.links };
}

function blocks(src: string, options: LexOptions): Lexer {
  const lexer = newLexer(options);
  Object.assign(lexer.tokens.links, options.links);
  lexer.blockTokens(src, lexer.tokens);
  return lexer;
}

/** The tokens of a text that is one line. */
export function lexInline(src: string, options: LexOptions): Token[] {
  if (isTooMuch(src)) return [{ type: "written", raw: src }];
  return newLexer(options).inlineTokens(src) as Token[];
}

function newLexer({ breaks, streaming }: LexOptions): Lexer {
  const tokenizer = new BoundedTokenizer();
  const endless = () => streaming && !tokenizer.nested;
  return new Lexer({ gfm: true, breaks, tokenizer, extensions: formulaExtensions(endless) });
}
