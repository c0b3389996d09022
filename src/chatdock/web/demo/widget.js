// A widget as an outline of its text, with the buttons that do something. The layout is left to a real renderer.
import { h, showText } from "./dom.js";
import { safeImage } from "./text.js";

const QUIET = new Set(["Caption", "Badge", "Label"]);

/** The nodes for a widget item. `act(action)` runs the action of a button. */
export function widgetNodes(item, { act, origin }) {
  const nodes = [];
  if (item.copy_text) {
    const text = h("div", { class: "text" });
    showText(text, item.copy_text);
    nodes.push(text);
  }
  const buttons = [];
  walk(item.widget, (part) => {
    if (!item.copy_text) nodes.push(...textOf(part, origin));
    buttons.push(...actionsOf(part).map(({ label, action }) => button(label, action, act)));
  });
  if (buttons.length) nodes.push(h("p", { class: "buttons" }, buttons));
  return nodes;
}

function walk(part, visit) {
  if (Array.isArray(part)) part.forEach((child) => walk(child, visit));
  else if (part && typeof part === "object") {
    visit(part);
    walk(part.children, visit);
  }
}

function textOf(part, origin) {
  if (part.type === "Image") {
    const address = safeImage(part.src, origin);
    if (address) return [h("img", { src: address, alt: part.alt ?? "" })];
    return part.alt ? [h("p", { class: "quiet" }, part.alt)] : [];
  }
  if (part.type === "Button") return [];
  if (part.type === "Divider") return [h("hr")];
  const text = part.value ?? part.label ?? part.status?.text;
  if (typeof text !== "string" || text === "") return [];
  if (part.type === "Markdown" || part.type === "Text") {
    const container = h("div", { class: "text" });
    showText(container, text);
    return [container];
  }
  return [h("p", { class: part.type === "Title" ? "title" : QUIET.has(part.type) ? "quiet" : null, dir: "auto" }, text)];
}

function actionsOf(part) {
  const found = [];
  if (part.type === "Button" && part.onClickAction && !part.disabled) {
    found.push({ label: part.label ?? part.onClickAction.type, action: part.onClickAction });
  }
  if (part.type === "ListViewItem" && part.onClickAction) {
    found.push({ label: firstText(part.children) ?? part.onClickAction.type, action: part.onClickAction });
  }
  for (const choice of [part.confirm, part.cancel]) {
    if (part.type === "Card" && choice?.action) found.push(choice);
  }
  return found;
}

function firstText(part) {
  let text = null;
  walk(part, (child) => (text ??= typeof child.value === "string" ? child.value : null));
  return text;
}

function button(label, action, act) {
  const here = action.handler === "client";
  return h(
    "button",
    {
      type: "button",
      "data-action": "widget",
      "data-action-type": action.type,
      "data-idle": !here && action.streaming !== false,
      disabled: here,
      title: here ? "This page has no handler of its own for this action." : null,
      onclick: () => act(action),
    },
    label,
  );
}
