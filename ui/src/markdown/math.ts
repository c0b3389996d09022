/** Formulas among the markdown: `$$…$$`, `\[…\]`, `\(…\)`, and `$…$` where it cannot be a price. */

import type { TokenizerExtensionFunction } from "marked";
import type { Formula } from "./tokens.ts";

const CLOSERS: Readonly<Record<string, string>> = { $$: "$$", "\\[": "\\]", "\\(": "\\)" };
/** Characters. Formulas are short; the bound keeps a search for an end that never comes from being slow. */
const MAX_LENGTH = 10_000;

/** A block that is one formula. One without an end counts if the text does not end either: then it is all the rest. */
export function blockFormula(src: string, endless: () => boolean): Formula | undefined {
  const [start, delimiter] = /^ {0,3}(\$\$|\\\[)/.exec(src) ?? [];
  if (!start || !delimiter) return undefined;
  const window = src.slice(start.length, start.length + MAX_LENGTH);
  const end = window.indexOf(CLOSERS[delimiter]!);
  const body = end < 0 ? window : window.slice(0, end);
  if (end < 0 && (start.length + window.length < src.length || !endless())) return undefined;
  if (BLANK_LINE.test(body)) return undefined;
  // Half of the closing delimiter is not part of the formula.
  if (end < 0) return { type: "math", raw: src, text: body.replace(/[$\\]$/, "").trim(), display: true, open: true };
  const after = /^[ \t]*(?:\n|$)/.exec(window.slice(end + 2, end + 200));
  const text = body.trim();
  if (!after || !text) return undefined;
  return { type: "math", raw: src.slice(0, start.length + end + 2 + after[0].length), text, display: true };
}

const BLANK_LINE = /\n[ \t]*\n/;
/** Lines of a paragraph that look as if a formula began there; more are not tried. */
const MAX_STARTS = 8;

/** Where in a paragraph a formula's block begins, so that the paragraph ends before it. */
export function blockFormulaStart(src: string, endless: () => boolean): number | undefined {
  let tried = 0;
  for (const { 0: match, index } of src.matchAll(/\n(?:[ \t]*\n|(?= {0,3}(?:\$\$|\\\[)))/g)) {
    if (match !== "\n" || ++tried > MAX_STARTS) return undefined;
    if (blockFormula(src.slice(index + 1), endless)) return index + 1;
  }
  return undefined;
}

const MATHEMATICAL = /[\\^_={}+<>|]/;
const DOLLARS = /^\$(?![\s$])((?:\\[^\n]|[^\\$\n]){1,500})\$(?![\p{L}\p{N}$])/u;

/**
 * A formula within a line. `before` is the character in front of it. `$` counts only if it stands as brackets do:
 * nothing but the formula touches it inside, and no letter or digit outside. What begins like a price and has words in
 * it needs a sign of mathematics too.
 */
export function inlineFormula(src: string, before: string): Formula | undefined {
  const closer = CLOSERS[src.slice(0, 2)];
  if (closer) {
    const end = src.slice(0, MAX_LENGTH).indexOf(closer, 2);
    const text = src.slice(2, end).trim();
    if (end < 0 || !text) return undefined;
    return { type: "math", raw: src.slice(0, end + 2), text, display: closer !== "\\)" };
  }
  if (src[0] !== "$" || /[\p{L}\p{N}$\\]/u.test(before)) return undefined;
  const [raw, text] = DOLLARS.exec(src) ?? [];
  if (!raw || !text || /\s$/.test(text)) return undefined;
  if (/^\d.*\s/.test(text) && !MATHEMATICAL.test(text)) return undefined;
  return { type: "math", raw, text, display: false };
}

/** Both as extensions of marked's lexer. `endless` tells whether what is left of the text may go on. */
export function formulaExtensions(endless: () => boolean) {
  const block: TokenizerExtensionFunction = (src) => blockFormula(src, endless);
  const inline: TokenizerExtensionFunction = (src, tokens) => inlineFormula(src, tokens.at(-1)?.raw.at(-1) ?? "");
  return {
    block: [block],
    inline: [inline],
    startBlock: [(src: string) => blockFormulaStart(src, endless)],
    startInline: [(src: string) => src.indexOf("$")],
    renderers: {},
    childTokens: {},
  };
}
