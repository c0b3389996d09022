/** What templates would become, without a browser: the elements with their attributes, and the text between. */

import type { TemplateResult } from "lit";
import { Chunks } from "../src/markdown/chunks.ts";
import type { MarkdownHost } from "../src/markdown/scene.ts";
import { type MarkdownState, MarkdownView } from "../src/markdown/view.ts";

/** A host whose words are their keys and whose chunks never come. */
export function host(over: Partial<MarkdownHost> = {}): MarkdownHost {
  const never = () => new Promise<never>(() => {});
  return {
    words: {
      locale: "en",
      direction: "ltr",
      t: (key, values) => (values ? `${key} ${Object.values(values).join(" ")}` : key),
    } as MarkdownHost["words"],
    chunks: new Chunks({ code: never, math: never }, () => {}),
    update: () => {},
    announce: () => {},
    onDeeplink: () => {},
    confirmLink: () => undefined,
    ...over,
  };
}

export interface Element {
  name: string;
  attributes: Record<string, unknown>;
  children: (Element | string)[];
}

const VOID: ReadonlySet<string> = new Set(["br", "hr", "img", "input", "path"]);

/** The tree of anything that Lit renders. */
export function tree(value: unknown): Element {
  const root: Element = { name: "#root", attributes: {}, children: [] };
  append(root, value);
  return root;
}

function append(parent: Element, value: unknown): void {
  if (value === null || value === undefined || typeof value === "symbol" || value === "") return;
  if (Array.isArray(value)) for (const each of value) append(parent, each);
  else if (typeof value !== "object") {
    if (typeof parent.children.at(-1) === "string") parent.children[parent.children.length - 1] += String(value);
    else parent.children.push(String(value));
  } else if ("_$litDirective$" in value) {
    const { values } = value as unknown as { values: unknown[] };
    const last = values.at(-1);
    append(parent, typeof last === "function" ? last() : values[0]);
  } else if ("strings" in value) template(parent, value as TemplateResult);
  else throw new Error(`cannot be rendered: ${JSON.stringify(value)}`);
}

/** Templates are written by us, so this understands no more HTML than they have. */
function template(parent: Element, { strings, values }: TemplateResult): void {
  const open: Element[] = [parent];
  const source = strings.reduce((text, part, n) => (n === 0 ? part : `${text}\uE000${n - 1}\uE000${part}`), "");
  for (const [piece] of source.matchAll(/<(?:[^<>"']|"[^"]*"|'[^']*')+>|[^<]+/g)) {
    const top = open.at(-1)!;
    if (piece.startsWith("</")) open.pop();
    else if (piece.startsWith("<")) {
      const element: Element = { name: /^<([\w-]+)/.exec(piece)![1]!, attributes: {}, children: [] };
      for (const [, name, quoted, bare] of piece
        .slice(1 + element.name.length)
        .matchAll(/([?.@\w-]+)(?:=(?:"([^"]*)"|([^\s>]+)))?/g)) {
        const raw = quoted ?? bare ?? "";
        const whole = /^\uE000(\d+)\uE000$/.exec(raw);
        const attribute = whole
          ? values[Number(whole[1])]
          : raw.replace(/\uE000(\d+)\uE000/g, (_, n) => String(values[Number(n)]));
        if (typeof attribute !== "symbol") element.attributes[name!] = attribute;
      }
      top.children.push(element);
      if (!VOID.has(element.name) && !piece.endsWith("/>")) open.push(element);
    } else {
      for (const [n, text] of piece.split(/\uE000(\d+)\uE000/).entries()) {
        if (n % 2 === 1) append(top, values[Number(text)]);
        else if (text.trim() !== "" || (text !== "" && !text.includes("\n")))
          append(top, text.replace(/^\n\s*|\n\s*$/g, ""));
      }
    }
  }
}

/** All elements, outermost first. */
export function* elements(node: Element): Generator<Element> {
  for (const child of node.children) {
    if (typeof child === "string") continue;
    yield child;
    yield* elements(child);
  }
}

export function textOf(node: Element): string {
  return node.children.map((child) => (typeof child === "string" ? child : textOf(child))).join("");
}

const QUIET: ReadonlySet<string> = new Set([
  "dir",
  "tabindex",
  "role",
  "rel",
  "referrerpolicy",
  "target",
  "loading",
  "decoding",
  "scope",
]);

/** The tree as text that is easy to compare and to read: without listeners, icons and what is the same everywhere. */
export function outline(node: Element): string {
  return node.children
    .map((child) => {
      if (typeof child === "string") return child;
      if (child.name === "svg" || child.name === "button" || child.attributes.class === "ck-hidden md-note") return "";
      const attributes = Object.entries(child.attributes)
        .filter(
          ([name, value]) => /^[.?\w]/.test(name) && !QUIET.has(name) && !name.startsWith("aria-") && value !== "",
        )
        .map(([name, value]) => ` ${name}=${String(value)}`);
      return `<${child.name}${attributes.join("")}>${outline(child)}${VOID.has(child.name) ? "" : `</${child.name}>`}`;
    })
    .join("");
}

/** A text rendered at once. */
export function render(text: string, state: MarkdownState = {}, of: MarkdownHost = host()): Element {
  return tree(new MarkdownView(of).render(text, state)).children[0] as Element;
}

/** The same as text. */
export function drawn(text: string, state: MarkdownState = {}): string {
  return outline(render(text, state));
}
