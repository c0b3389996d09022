/**
 * From a widget's type to how it is drawn. A type that is not here draws nothing, and nothing below it.
 *
 * These are outlines: all that a widget says, in order, with buttons that act. Fields to fill in are not drawn, nor the
 * buttons that would send what was filled in.
 */

import { html, nothing, type TemplateResult } from "lit";
import type { WidgetNode } from "../../core/wire.ts";
import { type ActionConfig, readAction } from "./actions.ts";
import { childrenOf, hasFields, objectOf, shownText, textOf } from "./tree.ts";

/** Where a node stands, and what its widget can do. */
export interface WidgetScope {
  /** The node's place in the tree, the same for as long as the tree has its shape. */
  readonly path: string;
  /** The form around it: whether there is something to fill in, and what it submits. */
  readonly form: { readonly hasFields: boolean; readonly submit: unknown } | null;
  /** A button that takes an action. Null draws none: what this widget shows cannot act. */
  button(face: ButtonFace, action: ActionConfig, path: string): TemplateResult | typeof nothing;
  prose(path: string, text: string, streaming: boolean): unknown;
}

export interface ButtonFace {
  label: string;
  content?: unknown;
  className: string;
  disabled?: boolean;
}

export type WidgetRenderer = (node: WidgetNode, scope: WidgetScope) => TemplateResult | typeof nothing;

/** The node, and what is in it. */
export function renderWidget(node: WidgetNode, scope: WidgetScope): TemplateResult | typeof nothing {
  return Object.hasOwn(CATALOGUE, node.type) ? CATALOGUE[node.type]!(node, scope) : nothing;
}

const CATALOGUE: Readonly<Record<string, WidgetRenderer>> = {
  Card: card,
  Basic: (node, scope) => box(node, scope),
  ListView: (node, scope) =>
    html`${status(node)}<ul class="widget-list">${nested(node, scope, (child) => html`<li>${child}</li>`)}</ul>`,
  ListViewItem: listItem,
  Box: (node, scope) => box(node, scope),
  Col: (node, scope) => box(node, scope),
  Row: (node, scope) => box(node, scope, "row"),
  Form: (node, scope) => box(node, { ...scope, form: { hasFields: hasFields(node), submit: node.onSubmitAction } }),
  Transition: (node, scope) => html`${nested(node, scope)}`,
  Title: (node) => words(node.value, "widget-title"),
  Text: (node) => words(node.value, "widget-text"),
  Caption: (node) => words(node.value, "widget-caption"),
  Label: (node) => words(node.value, "widget-caption"),
  Checkbox: (node) => words(node.label, "widget-text"),
  Image: (node) => words(node.alt, "widget-caption"),
  Badge: (node) =>
    shownText(node.label) ? html`<span class="widget-badge" dir="auto">${shownText(node.label)}</span>` : nothing,
  Markdown: (node, scope) =>
    html`<div class="widget-text" dir="auto">${scope.prose(scope.path, textOf(node.value), node.streaming === true)}</div>`,
  Divider: () => html`<hr class="widget-divider" />`,
  Button: button,
  Table: (node, scope) => html`<div class="widget-table"><table>${nested(node, scope)}</table></div>`,
  "Table.Row": (node, scope) =>
    html`<tr>${childrenOf(node).map((cell, n) => tableCell(cell, at(scope, n), node.header === true))}</tr>`,
};

function at(scope: WidgetScope, n: number): WidgetScope {
  return { ...scope, path: `${scope.path}.${n}` };
}

function nested(node: WidgetNode, scope: WidgetScope, wrap: (child: unknown) => unknown = (child) => child): unknown[] {
  return childrenOf(node)
    .map((child, n) => renderWidget(child, at(scope, n)))
    .filter((child) => child !== nothing)
    .map(wrap);
}

function words(value: unknown, className: string): TemplateResult | typeof nothing {
  const text = shownText(value);
  return text ? html`<div class=${className} dir="auto">${text}</div>` : nothing;
}

function status(node: WidgetNode): TemplateResult | typeof nothing {
  return words(objectOf(node.status).text, "widget-status");
}

function box(node: WidgetNode, scope: WidgetScope, direction: unknown = node.direction): TemplateResult {
  const isRow = direction === "row";
  return html`<div class=${isRow ? "widget-row" : "widget-column"}>${nested(node, scope)}</div>`;
}

function card(node: WidgetNode, scope: WidgetScope): TemplateResult {
  const confirm = objectOf(node.confirm);
  const form = node.asForm === true ? { hasFields: hasFields(node), submit: confirm.action } : scope.form;
  const inner = { ...scope, form };
  const choices = [
    form?.hasFields ? nothing : choice(confirm, "widget-button ck-button ck-button-primary", `${scope.path}.confirm`),
    choice(objectOf(node.cancel), "widget-button ck-button", `${scope.path}.cancel`),
  ].filter((each) => each !== nothing);
  return html`<div class="widget-column">
    ${status(node)}${nested(node, inner)}
    ${choices.length > 0 ? html`<div class="widget-row">${choices}</div>` : nothing}
  </div>`;

  function choice(
    { label, action }: Record<string, unknown>,
    className: string,
    path: string,
  ): TemplateResult | typeof nothing {
    const config = readAction(action, "container");
    return config && shownText(label) ? scope.button({ label: shownText(label), className }, config, path) : nothing;
  }
}

function listItem(node: WidgetNode, scope: WidgetScope): TemplateResult | typeof nothing {
  const action = readAction(node.onClickAction);
  const content = html`<div class="widget-row">${nested(node, scope)}</div>`;
  if (!action || scope.form?.hasFields) return content;
  const drawn = scope.button({ label: "", content, className: "widget-item" }, action, scope.path);
  return drawn === nothing ? content : drawn;
}

function button(node: WidgetNode, scope: WidgetScope): TemplateResult | typeof nothing {
  if (scope.form?.hasFields) return nothing;
  const submit = node.submit === true ? scope.form?.submit : undefined;
  const action = readAction(node.onClickAction ?? submit);
  const label = shownText(node.label);
  if (!action || !label) return nothing;
  const className = node.style === "primary" ? "widget-button ck-button ck-button-primary" : "widget-button ck-button";
  return scope.button({ label, className, disabled: node.disabled === true }, action, scope.path);
}

function tableCell(cell: WidgetNode, scope: WidgetScope, isHeader: boolean): TemplateResult {
  const content = nested(cell, scope);
  const [columns, rows] = [span(cell.colSpan), span(cell.rowSpan)];
  return isHeader
    ? html`<th scope="col" colspan=${columns} rowspan=${rows}>${content}</th>`
    : html`<td colspan=${columns} rowspan=${rows}>${content}</td>`;
}

function span(value: unknown): number {
  return typeof value === "number" && value > 1 ? Math.min(Math.floor(value), 100) : 1;
}
