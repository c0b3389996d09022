/** Reads widget trees as they come: nothing in them is trusted to have its type. */

import type { WidgetNode } from "../../core/wire.ts";
import { visible } from "../../markdown/visible.ts";

/** The node's children that are nodes; one child may stand alone, and none may be `null`. */
export function childrenOf(node: WidgetNode): WidgetNode[] {
  const children: unknown = node.children;
  return (Array.isArray(children) ? children : [children]).filter(isNode);
}

function isNode(value: unknown): value is WidgetNode {
  return typeof value === "object" && value !== null && typeof (value as WidgetNode).type === "string";
}

/** A property's text; numbers count, everything else is "". */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : "";
}

/** The same to be shown, without characters that hide something. */
export function shownText(value: unknown): string {
  return visible(textOf(value));
}

/** A property that is an object; an empty one otherwise. */
export function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

const FIELDS = new Set(["Input", "Textarea", "Select", "DatePicker", "Checkbox", "RadioGroup"]);

/** Whether there is something to fill in. */
export function hasFields(node: WidgetNode): boolean {
  if (FIELDS.has(node.type)) return true;
  if (node.type === "Text" && Object.hasOwn(objectOf(node.editable), "name")) return true;
  return childrenOf(node).some(hasFields);
}

/** What the node itself says, without its children. */
const OWN_TEXT: Readonly<Record<string, string>> = {
  Title: "value",
  Text: "value",
  Caption: "value",
  Markdown: "value",
  Label: "value",
  Badge: "label",
  Checkbox: "label",
  Image: "alt",
};

/** The widget as plain text, a line for each thing it says; what can be pressed is left out. */
export function widgetText(node: WidgetNode): string {
  if (node.type === "Table.Row") return childrenOf(node).map(widgetText).filter(Boolean).join("\t");
  const own = Object.hasOwn(OWN_TEXT, node.type) ? textOf(node[OWN_TEXT[node.type]!]) : "";
  const status = node.type === "Card" || node.type === "ListView" ? textOf(objectOf(node.status).text) : "";
  return [status, own, ...childrenOf(node).map(widgetText)].filter(Boolean).join("\n");
}
