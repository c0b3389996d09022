// Nodes, never strings of HTML: what a model writes can only ever become text.
import { blocksOf } from "./text.js";

/** `h("button", {type: "button", onclick: f}, "Go")`. Attributes that are null or false are left out. */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const SHAPES = {
  plus: "M12 5v14M5 12h14",
  menu: "M4 7h16M4 12h16M4 17h16",
  close: "M6 6l12 12M18 6 6 18",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  down: "M12 5v14M6 13l6 6 6-6",
  rename: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  remove: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.500 11v5M13.500 11v5",
  good: "M4 11h4v9H4zM8 11l4-7c1.600 0 2.500 1 2.200 2.500L13.600 10h4.900a2 2 0 0 1 2 2.400l-1.200 6a2 2 0 0 1-2 1.600H8",
  bad: "M4 13h4V4H4zM8 13l4 7c1.600 0 2.500-1 2.200-2.500L13.600 14h4.900a2 2 0 0 0 2-2.400l-1.200-6a2 2 0 0 0-2-1.600H8",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

export function iconButton(name, label, onclick, attributes = {}) {
  return h("button", { type: "button", class: "icon", "aria-label": label, title: label, onclick, ...attributes }, icon(name));
}

/** Shows text as paragraphs and code, and touches only what changed, so that a selection survives streaming. */
export function showText(container, text) {
  const blocks = blocksOf(text);
  blocks.forEach((block, index) => {
    let node = container.children[index];
    if (node?.dataset.kind !== block.kind) {
      const fresh = block.kind === "code" ? h("pre", { tabindex: "0", "aria-label": "Code" }, h("code")) : h("p", { dir: "auto" });
      fresh.dataset.kind = block.kind;
      node ? node.replaceWith(fresh) : container.append(fresh);
      node = fresh;
    }
    if (block.language) node.dataset.language = block.language;
    const target = block.kind === "code" ? node.firstChild : node;
    if (target.textContent !== block.text) target.textContent = block.text;
  });
  while (container.children.length > blocks.length) container.lastChild.remove();
}
