/** What is within a line of text, as templates. */

import { html, type TemplateResult } from "lit";
import { decode } from "./entities.ts";
import { formula } from "./formula.ts";
import { withoutComments } from "./html.ts";
import { image } from "./image.ts";
import { link } from "./link.ts";
import { plainInline } from "./plain.ts";
import type { Scene } from "./scene.ts";
import type { Token } from "./tokens.ts";
import { visible } from "./visible.ts";

/** The tokens of a line; `line` is the markdown they come from, for the places of markers. */
export function inlineLine(tokens: readonly Token[], line: string, scene: Scene): unknown {
  scene.marks?.begin(line);
  const parts = inline(tokens, scene, 0);
  const rest = scene.marks?.take() ?? [];
  return parts.length + rest.length === 1 ? (parts[0] ?? rest[0]) : [...parts, ...rest];
}

/** `at` is where the tokens begin in the line. */
export function inline(tokens: readonly Token[], scene: Scene, at: number): unknown[] {
  const parts: unknown[] = [];
  let start = at;
  for (const token of tokens) {
    const end = start + token.raw.length;
    if (token.type === "text" && scene.marks && scene.marks.next < end)
      parts.push(...splitText(token.raw, scene, start));
    else parts.push(inlineToken(token, scene, start));
    if (scene.marks && scene.marks.next <= end) parts.push(...scene.marks.take(end));
    start = end;
  }
  return parts;
}

/** A text with markers in it; none is put into a character reference. */
function splitText(raw: string, scene: Scene, start: number): unknown[] {
  const parts: unknown[] = [];
  let from = 0;
  while (scene.marks && scene.marks.next < start + raw.length) {
    let to = scene.marks.next - start;
    const reference = /&#?\w*$/.test(raw.slice(Math.max(0, to - 12), to)) && /^#?\w*;/.exec(raw.slice(to, to + 12));
    if (reference) to += reference[0].length;
    parts.push(text(raw.slice(from, to)), ...scene.marks.take(start + to));
    from = to;
  }
  parts.push(text(raw.slice(from)));
  return parts;
}

function text(raw: string): string {
  return visible(decode(raw));
}

function inlineToken(token: Token, scene: Scene, at: number): unknown {
  switch (token.type) {
    case "text":
      return text(token.raw);
    case "escape":
      return visible(token.text);
    case "strong":
      return html`<strong>${within(token, scene, at)}</strong>`;
    case "em":
      return html`<em>${within(token, scene, at)}</em>`;
    case "del":
      return html`<del>${within(token, scene, at)}</del>`;
    case "codespan":
      return html`<code class="md-codespan">${visible(token.text)}</code>`;
    case "br":
      return html`<br>`;
    case "link":
      return link(token, plainInline([token]), linkText(token, scene), scene);
    case "image":
      return image(token, scene);
    case "math":
      return formula(token, scene);
    case "checkbox":
      return checkbox(token.checked, scene);
    case "html":
      return visible(withoutComments(token.text));
    default:
      return html`<span class="md-written">${visible(token.raw)}</span>`;
  }
}

type Container = Token & { raw: string; text: string; tokens: unknown[] };

/** Raw minus text is the delimiters, as long in front as behind. */
function within({ raw, text, tokens }: Container, scene: Scene, at: number): unknown[] {
  return inline(tokens as Token[], scene, at + (raw.length - text.length) / 2);
}

function linkText(token: Token & { type: "link" }, scene: Scene): unknown {
  return token.autolink ? visible(token.text) : inline(token.tokens as Token[], { ...scene, marks: null }, 0);
}

export function checkbox(checked: boolean, { words }: Scene): TemplateResult {
  return html`<input
    class="md-check" type="checkbox" disabled .checked=${checked}
    aria-label=${words.t(checked ? "answer.taskDone" : "answer.taskOpen")}
  >`;
}
