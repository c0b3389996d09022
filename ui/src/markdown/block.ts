/** The blocks of a text, as templates. */

import { html, nothing, type TemplateResult } from "lit";
import type { Tokens } from "marked";
import { codeBlock } from "./code.ts";
import { formula } from "./formula.ts";
import { withoutComments } from "./html.ts";
import { checkbox, inlineLine } from "./inline.ts";
import type { Scene } from "./scene.ts";
import type { Heading, Token } from "./tokens.ts";
import { visible } from "./visible.ts";

/** A block, and below it the markers that could not go into its text. */
export function blockWithMarks(token: Token, scene: Scene): unknown {
  const drawn = block(token, scene);
  const rest = scene.marks?.rest() ?? [];
  return rest.length > 0 ? [drawn, html`<p>${rest}</p>`] : drawn;
}

function block(token: Token, scene: Scene): unknown {
  switch (token.type) {
    case "paragraph":
    case "text":
      return paragraph(token, scene);
    case "heading":
      return heading(token, scene);
    case "list":
      return list(token, scene);
    case "table":
      return table(token, scene);
    case "code":
      return codeBlock(token, scene);
    case "math":
      return formula(token, scene);
    case "blockquote":
      return html`<blockquote dir="auto">${children(token.tokens as Token[], scene)}</blockquote>`;
    case "hr":
      return html`<hr>`;
    case "html":
      return written(withoutComments(token.text));
    case "written":
      return written(token.raw);
    case "checkbox":
      return checkbox(token.checked, scene);
    default:
      return nothing;
  }
}

function children(tokens: readonly Token[], scene: Scene): unknown[] {
  return tokens.filter(({ type }) => type !== "space" && type !== "def").map((token) => block(token, scene));
}

function paragraph(token: Tokens.Paragraph | Tokens.Text, scene: Scene): unknown {
  const content = inlineLine((token.tokens ?? [token]) as Token[], token.text, scene);
  return content === undefined || (Array.isArray(content) && content.length === 0)
    ? nothing
    : html`<p dir="auto">${content}</p>`;
}

/** What is no markdown, such as HTML. */
function written(raw: string): unknown {
  const text = visible(raw).trim();
  return text ? html`<p class="md-written" dir="auto">${text}</p>` : nothing;
}

const HEADINGS: readonly ((size: string, content: unknown) => TemplateResult)[] = [
  (size, content) => html`<h1 class=${size} dir="auto">${content}</h1>`,
  (size, content) => html`<h2 class=${size} dir="auto">${content}</h2>`,
  (size, content) => html`<h3 class=${size} dir="auto">${content}</h3>`,
  (size, content) => html`<h4 class=${size} dir="auto">${content}</h4>`,
  (size, content) => html`<h5 class=${size} dir="auto">${content}</h5>`,
  (size, content) => html`<h6 class=${size} dir="auto">${content}</h6>`,
];

/** As large as its marks say, and of the level that its place in the page needs. */
function heading(token: Heading, scene: Scene): unknown {
  const level = Math.min(6, Math.max(1, scene.headingBase + (token.level ?? 0)));
  return HEADINGS[level - 1]!(`md-h${token.depth}`, inlineLine(token.tokens as Token[], token.text, scene));
}

/** Loose and tight lists look the same: one becomes the other while it is written. */
function list({ ordered, start, items }: Tokens.List, scene: Scene): TemplateResult {
  const entries = items.map(
    (item) =>
      html`<li class=${item.task ? "md-task" : nothing} dir="auto">${children(item.tokens as Token[], scene)}</li>`,
  );
  return ordered ? html`<ol start=${Number(start)} dir="auto">${entries}</ol>` : html`<ul dir="auto">${entries}</ul>`;
}

function table({ header, rows }: Tokens.Table, scene: Scene): TemplateResult {
  const content = (cell: Tokens.TableCell) => inlineLine(cell.tokens as Token[], cell.text, scene);
  return html`<div class="md-table" dir="auto">
    <div class="md-scroller" role="group" tabindex="0" aria-label=${scene.words.t("table.label")}>
      <table>
        <thead><tr>${header.map((cell) => html`<th scope="col" data-align=${cell.align ?? nothing}>${content(cell)}</th>`)}</tr></thead>
        <tbody>
          ${rows.map((row) => html`<tr>${row.map((cell) => html`<td data-align=${cell.align ?? nothing}>${content(cell)}</td>`)}</tr>`)}
        </tbody>
      </table>
    </div>
  </div>`;
}
