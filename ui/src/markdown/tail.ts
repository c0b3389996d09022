/** The end of a text that is still being written: markers of which only a part is there must not show. */

import type { Lexer } from "marked";
import { isTooMuch } from "./limit.ts";
import { mend } from "./mend.ts";
import type { Token } from "./tokens.ts";

/** A last line that is nothing but markers, or that begins a definition: what it will mean is not known yet. */
const UNDECIDED =
  /^(?:[\s>\-=*+_#|`~:$]|\\\[?(?=\s*$)|\d{1,3}[.)]?(?=\s*$)|\d{1,9}[.)](?=\s))*(?:\[[ xX]?\]?[ \t]*|\[[^\]\n]{1,80}\]:[ \t]*)?$/;

/** How much of the text can be shown. Whether its end is code, where nothing is a marker, is for the caller to know. */
export function heldBack(src: string): number {
  const start = src.lastIndexOf("\n") + 1;
  const line = src.slice(start);
  return line.length > 0 && line.length < 200 && UNDECIDED.test(line) ? start : src.length;
}

/** The innermost block at the end. */
export function lastLeaf(tokens: readonly Token[]): Token | undefined {
  const last = tokens.at(-1);
  if (last?.type === "list") return lastLeaf((last.items.at(-1)?.tokens ?? []) as Token[]);
  if (last?.type === "blockquote") return lastLeaf(last.tokens as Token[]);
  return last;
}

const FENCE = /^ {0,3}(`{3,}|~{3,})/;

/** Whether a block of code or a formula goes on. */
export function isOpen(token: Token | undefined): boolean {
  if (token?.type === "math") return token.open === true;
  if (token?.type !== "code") return false;
  const fence = FENCE.exec(token.raw)?.[1];
  if (!fence) return false;
  const [first, ...lines] = token.raw.trimEnd().split("\n");
  const last = lines.at(-1)?.trim() ?? "";
  return first !== undefined && !(last.length >= fence.length && last === fence[0]!.repeat(last.length));
}

/** A row that may become the head of a table, at the end of a paragraph, and the row below it as far as it is there. */
const TABLE_HEAD = /(?:^|\n)[ \t]*\|[^\n]*(?:\n[ \t|:-]*)?$/;

/** Completes what the lexed text leaves open at its end. To be called before the lexer does the text within blocks. */
export function closeTail(lexer: Lexer): void {
  const leaf = lastLeaf(lexer.tokens as Token[]);
  if (leaf?.type === "code" && isOpen(leaf)) {
    leaf.open = true;
    leaf.text = leaf.text.replace(/(^|\n) {0,3}(?:`+|~+)[ \t]*$/, "$1");
    // The language is not known before its line ends.
    if (!leaf.raw.includes("\n")) leaf.lang = "";
  }
  const lines = leaf?.type === "table" ? [leaf.header, ...leaf.rows].flat() : leaf && "tokens" in leaf ? [leaf] : [];
  const line = lines.findLast(({ text }) => text !== "");
  const entry = lexer.inlineQueue.findLast(({ tokens }) => tokens === line?.tokens);
  if (entry && !isTooMuch(entry.src))
    entry.src = mend(leaf?.type === "table" ? entry.src : entry.src.replace(TABLE_HEAD, ""));
}
