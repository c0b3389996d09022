/** Colours for code: highlight.js with the languages that come up most, as pieces of text with a kind. */

import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import c from "highlight.js/lib/languages/c";
import cpp from "highlight.js/lib/languages/cpp";
import csharp from "highlight.js/lib/languages/csharp";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import go from "highlight.js/lib/languages/go";
import ini from "highlight.js/lib/languages/ini";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import kotlin from "highlight.js/lib/languages/kotlin";
import markdown from "highlight.js/lib/languages/markdown";
import php from "highlight.js/lib/languages/php";
import python from "highlight.js/lib/languages/python";
import ruby from "highlight.js/lib/languages/ruby";
import rust from "highlight.js/lib/languages/rust";
import shell from "highlight.js/lib/languages/shell";
import sql from "highlight.js/lib/languages/sql";
import swift from "highlight.js/lib/languages/swift";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";

const LANGUAGES = {
  bash,
  c,
  cpp,
  csharp,
  css,
  diff,
  go,
  ini,
  java,
  javascript,
  json,
  kotlin,
  markdown,
  php,
  python,
  ruby,
  rust,
  shell,
  sql,
  swift,
  typescript,
  xml,
  yaml,
};

export type Kind = "comment" | "keyword" | "string" | "number" | "function" | "type";

export interface Piece {
  text: string;
  /** Null for what has no colour. */
  kind: Kind | null;
}

/** By the first part of a scope's name. */
const KINDS: Readonly<Record<string, Kind>> = {
  comment: "comment",
  quote: "comment",
  keyword: "keyword",
  operator: "keyword",
  tag: "keyword",
  name: "keyword",
  "selector-tag": "keyword",
  deletion: "keyword",
  literal: "number",
  number: "number",
  symbol: "number",
  string: "string",
  regexp: "string",
  addition: "string",
  link: "string",
  code: "string",
  title: "function",
  section: "function",
  attr: "function",
  attribute: "function",
  property: "function",
  "selector-class": "function",
  "selector-id": "function",
  type: "type",
  built_in: "type",
  meta: "type",
  variable: "type",
  bullet: "type",
  "template-variable": "type",
};

/** What highlight.js writes to, by two names for each. Its scopes nest; the innermost that has a colour counts. */
class Pieces {
  readonly pieces: Piece[] = [];
  readonly #kinds: (Kind | null)[] = [null];

  addText(text: string): void {
    const kind = this.#kinds.at(-1) ?? null;
    const last = this.pieces.at(-1);
    if (last?.kind === kind) last.text += text;
    else if (text) this.pieces.push({ text, kind });
  }

  openNode(scope: string): void {
    this.#kinds.push(KINDS[scope.split(".")[0]!] ?? this.#kinds.at(-1) ?? null);
  }

  closeNode(): void {
    if (this.#kinds.length > 1) this.#kinds.pop();
  }

  startScope(scope: string): void {
    this.openNode(scope);
  }

  endScope(): void {
    this.closeNode();
  }

  /** The text of another language, such as a script in HTML. */
  __addSublanguage(other: Pieces): void {
    for (const { text, kind } of other.pieces) {
      this.#kinds.push(kind ?? this.#kinds.at(-1) ?? null);
      this.addText(text);
      this.#kinds.pop();
    }
  }

  finalize(): void {}

  /** highlight.js asks for HTML in any case. */
  toHTML(): string {
    return "";
  }
}

for (const [name, language] of Object.entries(LANGUAGES)) hljs.registerLanguage(name, language);
hljs.registerAliases(["jsonl", "json5"], { languageName: "json" });
hljs.configure({ __emitter: Pieces as never });

/** The code in pieces that joined are the code; null for a language that is not known. */
export function highlight(code: string, language: string): Piece[] | null {
  if (!hljs.getLanguage(language)) return null;
  const { _emitter, errorRaised } = hljs.highlight(code, { language, ignoreIllegals: true });
  return errorRaised ? null : (_emitter as unknown as Pieces).pieces;
}
