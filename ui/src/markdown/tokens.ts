/** marked's tokens as they are used here: its own, with what the lexer adds, and formulas. */

import type { Tokens } from "marked";

export interface Formula {
  type: "math";
  raw: string;
  /** TeX without delimiters. */
  text: string;
  display: boolean;
  /** Its end has not come yet. */
  open?: boolean;
}

export interface Code extends Tokens.Code {
  /** Its end has not come yet. */
  open?: boolean;
}

export interface Heading extends Tokens.Heading {
  /** 0 for the outermost headings of the text, and never more than one below the heading before. */
  level?: number;
}

/** What is shown as it is written, because there is too much of it. */
export interface Written {
  type: "written";
  raw: string;
}

export type Token =
  | Written
  | Formula
  | Code
  | Heading
  | Tokens.Blockquote
  | Tokens.Br
  | Tokens.Checkbox
  | Tokens.Codespan
  | Tokens.Def
  | Tokens.Del
  | Tokens.Em
  | Tokens.Escape
  | Tokens.Hr
  | Tokens.HTML
  | Tokens.Image
  | Tokens.Link
  | Tokens.List
  | Tokens.Paragraph
  | Tokens.Space
  | Tokens.Strong
  | Tokens.Table
  | Tokens.Tag
  | Tokens.Text;
