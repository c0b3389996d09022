import { describe, expect, test } from "vitest";
import { MarkdownView } from "../src/markdown/view.ts";
import { HOSTILE } from "./hostile.ts";
import { type Element, elements, host, render, textOf, tree } from "./markdown_tree.ts";

const POLICY = { imageHosts: ["images.example.com", "*.cdn.example.com"] };
const ELEMENTS = new Set(
  (
    "div p h1 h2 h3 h4 h5 h6 ul ol li blockquote hr table thead tbody tr th td pre code span strong em del br a img input button " +
    "svg path"
  ).split(" "),
);
const ATTRIBUTES = new Set(
  (
    "class dir role tabindex aria-label href title rel target referrerpolicy @click @auxclick @keydown src alt loading decoding type " +
    "disabled .checked scope data-align start aria-hidden viewBox d"
  ).split(" "),
);
const RASTER = /^data:image\/(png|jpeg|gif|webp|avif);base64,[\w+/]+=*$/;
const HIDING = /(?![\t\n])\p{Cc}|[\u202A-\u202E\u2066-\u2069\u{E0000}-\u{E007F}]/u;

/** What is wrong with what a text became, "" if nothing. */
function harm(root: Element): string {
  for (const { name, attributes } of elements(root)) {
    if (!ELEMENTS.has(name)) return `element ${name}`;
    for (const attribute of Object.keys(attributes)) if (!ATTRIBUTES.has(attribute)) return `attribute ${attribute}`;
    if ("href" in attributes && !/^(https?:\/\/[^\\]|mailto:|tel:|#)/.test(String(attributes.href)))
      return `link ${attributes.href}`;
    if (
      name === "a" &&
      "href" in attributes &&
      !String(attributes.href).startsWith("#") &&
      !/noopener noreferrer/.test(String(attributes.rel))
    )
      return "rel";
    if (name === "img") {
      const src = String(attributes.src);
      const allowed = RASTER.test(src) || /^https:\/\/(images\.example\.com|[^/:@]+\.cdn\.example\.com)\//.test(src);
      if (!allowed || attributes.referrerpolicy !== "no-referrer") return `image ${src}`;
    }
    for (const text of [attributes.title, attributes.alt, attributes["aria-label"]])
      if (HIDING.test(String(text))) return "hidden text in an attribute";
  }
  return HIDING.test(textOf(root)) ? "hidden text" : "";
}

test("the corpus is large and has no payload twice", () => {
  expect(HOSTILE.length).toBeGreaterThanOrEqual(200);
  expect(new Set(HOSTILE).size).toBe(HOSTILE.length);
});

describe("nothing hostile becomes more than text", () => {
  for (const payload of HOSTILE) {
    test(JSON.stringify(payload).slice(0, 100), () => {
      for (const text of [payload, `Before ${payload} after`, `> - ${payload.replaceAll("\n", "\n>   ")}`]) {
        expect(harm(render(text, { policy: POLICY }))).toBe("");
        const view = new MarkdownView(host());
        for (let end = 1; end <= text.length; end++) {
          const part = text.slice(0, end);
          const grown = tree(view.render(part, { streaming: true, policy: POLICY }));
          expect(harm(grown), `streamed ${JSON.stringify(part)}`).toBe("");
          expect(images(grown), `streamed ${JSON.stringify(part)}`).toEqual([]);
        }
      }
    });
  }
});

function images(root: Element): unknown[] {
  return [...elements(root)].filter(({ name }) => name === "img").map(({ attributes }) => attributes.src);
}

test("the check notices what it is there for", () => {
  const of = (name: string, attributes: Record<string, unknown>): Element => ({
    name: "#root",
    attributes: {},
    children: [{ name, attributes, children: [] }],
  });
  expect(harm(of("script", {}))).not.toBe("");
  expect(harm(of("p", { onclick: "x" }))).not.toBe("");
  expect(harm(of("a", { href: "javascript:x", rel: "noopener noreferrer" }))).not.toBe("");
  expect(harm(of("img", { src: "https://evil.example/", referrerpolicy: "no-referrer" }))).not.toBe("");
  expect(harm({ name: "#root", attributes: {}, children: ["a\u202Eb"] })).not.toBe("");
});

describe("an image that is allowed", () => {
  const ADDRESSES = [
    "https://images.example.com/a.png",
    "https://images.example.com/(a)/b.png?q=(1)&x=2",
    "https://a.b.cdn.example.com/x",
    "data:image/png;base64,iVBORw0KGgo=",
  ];
  const FORMS = [
    (src: string) => `![x](${src})`,
    (src: string) => `![x](<${src}>)`,
    (src: string) => `![x](${src} "title (a)")`,
    (src: string) => `[![x](${src})](https://example.com)`,
    (src: string) => `- **a ![x](${src}) b**`,
    (src: string) => `| a |\n|---|\n| ![x](${src}) |`,
    (src: string) => `> ![x](${src})`,
    (src: string) => `![x][r]\n\n[r]: ${src}`,
    (src: string) => `![r]\n\ntext\n\n[r]:\n  ${src}\n`,
  ];
  test("is loaded once its address is whole, and never by half of it", () => {
    for (const src of ADDRESSES) {
      for (const form of FORMS) {
        const text = form(src);
        expect(images(render(text, { policy: POLICY })), text).toEqual([src]);
        const view = new MarkdownView(host());
        for (let end = 1; end <= text.length; end++) {
          const shown = images(tree(view.render(text.slice(0, end), { streaming: true, policy: POLICY })));
          expect(
            shown.every((each) => each === src),
            `${text.slice(0, end)} shows ${shown}`,
          ).toBe(true);
        }
        expect(images(tree(view.render(text, { policy: POLICY })))).toEqual([src]);
      }
    }
  });

  test("is a note where no host is allowed", () => {
    const root = render("![A lighthouse](https://images.example.com/a.png)");
    expect(images(root)).toEqual([]);
    expect(textOf(root)).toBe("A lighthouse · answer.blockedImage images.example.com");
  });

  test("is not of a subdomain, another port or a wider name than the list says", () => {
    const shown = (entry: string, src: string) =>
      images(render(`![x](${src})`, { policy: { imageHosts: [entry] } })).length;
    expect(shown("Example.COM", "https://example.com/a")).toBe(1);
    expect(shown("example.com", "https://www.example.com/a")).toBe(0);
    expect(shown("*.example.com", "https://www.example.com/a")).toBe(1);
    expect(shown("*.example.com", "https://example.com/a")).toBe(0);
    expect(shown("*.example.com", "https://badexample.com/a")).toBe(0);
    expect(shown("*", "https://example.com/a")).toBe(0);
    expect(shown("*.com", "https://example.com/a")).toBe(0);
    expect(shown("example.com", "https://example.com:8443/a")).toBe(0);
    expect(shown("example.com:8443", "https://example.com:8443/a")).toBe(1);
    expect(shown("example.com", "http://example.com/a")).toBe(0);
    expect(shown("example.com", "https://u:p@example.com/a")).toBe(0);
  });
});
