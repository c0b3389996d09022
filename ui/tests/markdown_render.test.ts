import { describe, expect, test, vi } from "vitest";
import { highlight } from "../src/lazy/code.ts";
import { isSuspicious, targetOf } from "../src/markdown/address.ts";
import { Chunks } from "../src/markdown/chunks.ts";
import { plainText } from "../src/markdown/plain.ts";
import { inlineMarkdown, MarkdownView } from "../src/markdown/view.ts";
import { visible } from "../src/markdown/visible.ts";
import { drawn, type Element, elements, host, outline, render, textOf, tree } from "./markdown_tree.ts";

const only = (root: Element, name: string): Element => [...elements(root)].find((element) => element.name === name)!;

describe("blocks", () => {
  test("headings begin at the base that is given and never jump a level", () => {
    const levels = (text: string, headingBase?: number) =>
      [...elements(render(text, headingBase ? { headingBase } : {}))]
        .map(({ name }) => name)
        .filter((name) => /^h\d$/.test(name));
    expect(levels("# a\n## b\n### c\n# d")).toEqual(["h3", "h4", "h5", "h3"]);
    expect(levels("### a\n### b\n#### c\n## d\n###### e", 2)).toEqual(["h2", "h2", "h3", "h2", "h3"]);
    expect(levels("# a\n\n> ### b\n\n- ## c", 4)).toEqual(["h4", "h5", "h5"]);
    expect(levels("# a\n## b\n### c\n#### d", 5)).toEqual(["h5", "h6", "h6", "h6"]);
  });

  test("a single newline is a line break unless the caller says otherwise", () => {
    expect(drawn("a\nb")).toBe("<p>a<br>b</p>");
    expect(drawn("a\nb", { breaks: false })).toBe("<p>a\nb</p>");
    expect(drawn("a  \nb\\\nc", { breaks: false })).toBe("<p>a<br>b<br>c</p>");
  });

  test("a loose list looks like a tight one", () => {
    expect(drawn("- a\n\n- b")).toBe(drawn("- a\n- b"));
  });

  test("a task says in words whether it is done", () => {
    const boxes = [...elements(render("- [x] a\n- [ ] b"))].filter(({ name }) => name === "input");
    expect(boxes.map(({ attributes }) => [attributes[".checked"], attributes["aria-label"]])).toEqual([
      [true, "answer.taskDone"],
      [false, "answer.taskOpen"],
    ]);
  });

  test("rows of a table have as many cells as its head", () => {
    const root = render("| a | b |\n|---|--:|\n| 1 |\n| 1 | 2 | 3 |");
    const rows = [...elements(root)].filter(({ name }) => name === "tr");
    expect(rows.map(({ children }) => children.length)).toEqual([2, 2, 2]);
    const scroller = [...elements(root)].find(({ attributes }) => attributes.class === "md-scroller")!;
    expect(scroller.attributes).toMatchObject({ tabindex: "0", role: "group", "aria-label": "table.label" });
  });

  test("HTML is text, and comments are not there", () => {
    expect(textOf(render("<b>bold</b> <!-- no --> x"))).toBe("<b>bold</b>  x");
    expect(drawn("<div>\n<!-- no\nno -->\n</div>")).toBe("<p class=md-written><div>\n\n</div></p>");
  });

  test("character references are the characters, but not in code", () => {
    expect(textOf(render("&amp;lt; &copy; &#8364; &#x1F600; &nope; &#0; &Omega;&alpha;&rarr; `&amp;`"))).toBe(
      "&lt; © € 😀 &nope; \uFFFD Ωα→ &amp;",
    );
  });

  test("footnotes of other flavours and single tildes stay as they are", () => {
    const shown = textOf(render("A[^1] costs ~5 to ~10.\n\n[^1]: https://example.com"));
    expect(shown).toMatch(/^A\[\^1\] costs ~5 to ~10\.\[\^1\]: https:\/\/example\.com/);
  });

  test("code keeps its text, has its language once, and is labelled", () => {
    const root = render("```ts title=x\na < b && `c`\n```");
    expect(textOf(only(root, "pre"))).toBe("a < b && `c`");
    expect(only(root, "pre").attributes).toMatchObject({ tabindex: "0", "aria-label": "code.labelLanguage ts" });
    expect(only(root, "button").attributes["aria-label"]).toBe("code.copy");
  });
});

describe("links", () => {
  test("lead to the web, to mail and to telephones, and say so before they are followed", () => {
    const link = only(render('[text](https://example.com/a?b=1&amp;c "Title")'), "a");
    expect(link.attributes).toMatchObject({
      href: "https://example.com/a?b=1&c",
      rel: "noopener noreferrer nofollow",
      referrerpolicy: "no-referrer",
      target: "_blank",
      title: "Title\nhttps://example.com/a?b=1&c",
    });
    expect(textOf(link)).toBe("text (link.external)");
    expect(only(render("<mailto:a@example.com>"), "a").attributes.href).toBe("mailto:a@example.com");
    expect(only(render("[x](tel:+491234)"), "a").attributes.href).toBe("tel:+491234");
    expect(only(render("[x](#part)"), "a").attributes).toMatchObject({ href: "#part" });
    expect(only(render("[x](#part)"), "a").attributes.target).toBeUndefined();
    expect(only(render("[x](/orders/1)"), "a").attributes.href).toBe("https://page.invalid/orders/1");
  });

  test("a deep link calls the page with its name and data, and has no address", () => {
    const calls: unknown[] = [];
    const of = host({ onDeeplink: (name, data) => void calls.push([name, data]) });
    const link = only(
      render("[Open](chatkit-link://open%20order?id=42&view=a%20b&__proto__=x&constructor=y)", {}, of),
      "a",
    );
    expect(link.attributes.href).toBeUndefined();
    (link.attributes["@click"] as () => void)();
    (link.attributes["@keydown"] as (event: unknown) => void)({ key: "Enter" });
    (link.attributes["@keydown"] as (event: unknown) => void)({ key: "a" });
    expect(calls).toEqual(Array(2).fill(["open order", { id: "42", view: "a b" }]));
    expect(Object.getPrototypeOf((calls[0] as [string, object])[1])).toBe(Object.prototype);
  });

  test("ask first when they hide where they lead", () => {
    const ask = (href: string, text: string) => {
      const target = targetOf(href);
      return target?.kind === "web" && isSuspicious(target.url, text);
    };
    expect(ask("https://example.com/", "here")).toBe(false);
    expect(ask("https://docs.example.com/", "example.com")).toBe(false);
    expect(ask("https://www.example.com/a", "https://example.com/b")).toBe(false);
    expect(ask("https://github.com/a/README.md", "README.md")).toBe(false);
    expect(ask("https://example.com/", "setup.py")).toBe(false);
    expect(ask("https://evil.example/", "https://bank.example/login")).toBe(true);
    expect(ask("https://evil.example/", "Log in at HTTPS://bank.example")).toBe(true);
    expect(ask("https://evil.example/", "www.bank.example")).toBe(true);
    expect(ask("https://evil.example/", "bank.com")).toBe(true);
    expect(ask("https://bank.com.evil.example/", "bank.com")).toBe(true);
    expect(ask("https://user@evil.example/", "x")).toBe(true);
    expect(ask("https://xn--pypal-4ve.com/", "x")).toBe(true);
    expect(ask("https://pаypal.com/", "x")).toBe(true);
    expect(ask(`https://example.com/?q=${"x".repeat(201)}`, "x")).toBe(true);
  });

  test("a suspicious one is opened only after the reader agreed", async () => {
    const asked: string[] = [];
    const of = host({ confirmLink: (url) => void asked.push(url) as undefined });
    const link = only(render("[bank.com](https://evil.example/)", {}, of), "a");
    let prevented = false;
    (link.attributes["@click"] as (event: unknown) => void)({ preventDefault: () => (prevented = true), button: 0 });
    expect([prevented, asked]).toEqual([true, ["https://evil.example/"]]);
    expect(only(render("[x](https://evil.example/)", {}, of), "a").attributes["@click"]).toBeNull();
  });
});

describe("formulas", () => {
  const formulas = (text: string) =>
    [...elements(render(text))]
      .filter(({ attributes }) => /md-(math|formula)/.test(String(attributes.class)))
      .map((element) =>
        String(element.attributes.class).includes("md-formula") ? `display ${textOf(element)}` : textOf(element),
      );

  test("are found between their delimiters", () => {
    expect(formulas("$x$ and $$y$$ and \\(z\\) and \\[w\\]")).toEqual(["x", "display y", "z", "display w"]);
    expect(formulas("$$\na\n= b\n- c\n$$")).toEqual(["display a\n= b\n- c"]);
    expect(formulas("Text:\n$$\na\n- b\n$$\nMore")).toEqual(["display a\n- b"]);
    expect(formulas("- item\n  \\[ x \\]")).toEqual(["display x"]);
    expect(formulas("| $a|b$ | c |\n|---|---|\n| $x_1$ | $100$ |")).toContain("x_1");
    expect(formulas("$a_1*b$ and $c*d_2$")).toEqual(["a_1*b", "c*d_2"]);
    expect(formulas("**bold $x$**")).toEqual(["x"]);
    expect(formulas("$5x = 10$, $100$ and $2n + 1$")).toEqual(["5x = 10", "100", "2n + 1"]);
  });

  test("prices and shell variables are none", () => {
    for (const text of [
      "It costs $5 and $10.",
      "From $5-$10 or $5/$6",
      "US$5 and CA$6 total",
      "$5 to pay 10$ each",
      "$ x $",
      "$HOME/bin:$PATH",
      "a \\$x\\$ b",
      "`$x$`",
      "```\n$$x$$\n```",
      "$$$$",
      "$$ ",
      "$20k–$30k",
      "It is $5, she said; it is $6, he said.",
    ]) {
      expect(formulas(text), text).toEqual([]);
    }
  });
});

describe("markers", () => {
  const marked = (text: string, ...indexes: number[]) =>
    drawn(text, { markers: indexes.map((index) => ({ index, content: `[${index}]` })) }).replaceAll(
      / (class|href|title|start)=[^ >]*/g,
      "",
    );

  test("are in the text where their index says, counted in code points", () => {
    expect(marked("One. Two.", 4, 9)).toBe("<p>One.[4] Two.[9]</p>");
    expect(marked("😀😀 a b", 4)).toBe("<p>😀😀 a[4] b</p>");
    expect(marked("a\r\nb c", 4)).toBe("<p>a<br>b[4] c</p>");
    expect(marked("**bold** text", 4, 8)).toBe("<p><strong>bo[4]ld</strong>[8] text</p>");
    expect(marked("# Title\n\nText. More.", 7, 14)).toBe("<h3>Title[7]</h3><p>Text.[14] More.</p>");
    expect(marked("- one.\n- two.", 6, 13)).toBe("<ul><li><p>one.[6]</p></li><li><p>two.[13]</p></li></ul>");
    expect(marked("> quote.\n> more.", 8, 16)).toBe("<blockquote><p>quote.[8]<br>more.[16]</p></blockquote>");
    expect(marked("a\n\nb", 2)).toBe("<p>a[2]</p><p>b</p>");
    expect(marked("a", 0)).toBe("<p>[0]a</p>");
  });

  test("go behind what they must not break", () => {
    expect(marked("[link](https://example.com) x", 3)).toMatch(/^<p><a>link<\/a>\[3\] x<\/p>$/);
    expect(marked("[link](https://example.com) x", 15)).toMatch(/^<p><a>link<\/a>\[15\] x<\/p>$/);
    expect(marked("https://example.com/a x", 12)).toMatch(/^<p><a>https:\/\/example.com\/a<\/a>\[12\] x<\/p>$/);
    expect(marked("`code` x", 3)).toBe("<p><code>code</code>[3] x</p>");
    expect(marked("$x^2$ x", 2)).toBe("<p><span><code>x^2</code></span>[2] x</p>");
    expect(marked("a &amp; b", 4)).toBe("<p>a &[4] b</p>");
    expect(marked("```\ncode\n```\n\nx", 6)).toMatch(/code<\/code><\/pre><\/div><p>\[6\]<\/p><p>x<\/p>$/);
    expect(marked("| a | b |\n|---|---|\n| c. | d |", 24)).toContain("<td>c.[24]</td><td>d</td>");
  });

  test("without a place, or beyond the end, are not shown", () => {
    expect(marked("abc", 4, -1, Number.NaN, 1.5)).toBe("<p>abc</p>");
    expect(marked("abc", 3)).toBe("<p>abc[3]</p>");
  });

  test("never get lost in a text, wherever they are", () => {
    const text =
      "# A *b* `c`\n\n- [d](https://e.example) &amp; $f$\n  1. **g**\n\n| h | i |\n|---|---|\n| j | k |\n\n> l\nm\n\n```\nn\n```\n\n$$\no\n$$\n\n---\n\n<p>q</p>\n";
    for (let index = 0; index <= text.length; index++)
      expect(marked(text, index), String(index)).toContain(`[${index}]`);
  });
});

describe("text without marks", () => {
  test("is what a reader would say", () => {
    expect(
      plainText(
        "# Title\n\nSome **bold** [link](https://example.com), `code` and ![a picture](https://example.com/x).\n\n3. one\n4. two\n\n| a | b |\n|---|---|\n| c | d |\n\n<!-- no -->\n\n> quote\n\n```js\nx()\n```\n\n$$y$$\n\n---",
      ),
    ).toBe("Title\nSome bold link, code and a picture.\n3. one\n4. two\na, b\nc, d\nquote\nx()\ny");
  });

  test("a line of markdown has no blocks", () => {
    const line = (text: string) => outline(tree(inlineMarkdown(text, host())).children[0] as Element);
    expect(line("# Not a *heading*")).toBe("# Not a <em>heading</em>");
    expect(line("See [terms](https://example.com/t).")).toContain("href=https://example.com/t");
    expect(line("![x](https://example.com/x.png)")).not.toContain("<img");
  });
});

describe("visible text", () => {
  test("keeps what people write", () => {
    for (const text of [
      "Plain text, naïve café — 日本語 العربية עברית हिन्दी",
      "👩‍👩‍👧‍👦 ❤️‍🔥 🏳️‍🌈 👍🏽 1️⃣ ☺️ 🧑🏻‍🤝‍🧑🏿",
      "\u{1F3F4}\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}",
      "می\u200Cخواهم",
      "क्\u200Dष",
      "葛\u{E0100}",
      "long\u200Bword soft\u00ADhyphen",
      "tab\tand\nnewline",
    ]) {
      expect(visible(text)).toBe(text);
    }
  });

  test("leaves out what cannot be seen", () => {
    expect(visible("a\u{E0001}\u{E0068}\u{E0069}\u{E007F}b")).toBe("ab");
    expect(visible("😀\u{E0068}\u{E0069}")).toBe("😀");
    expect(visible("a\u202Eb\u2066c\u2069")).toBe("abc");
    expect(visible("a\u200B\u200C\u200Db")).toBe("ab");
    expect(visible("pay\u200Dpal")).toBe("paypal");
    expect(visible("x\uFE0F\uFE0F\uFE0F")).toBe("x");
    expect(visible("a\u0000\u001B[31mb")).toBe("a[31mb");
  });

  test("takes time in proportion to the text", () => {
    const started = performance.now();
    for (const piece of ["\u200B", "😀\u200D", "\u{1F3F4}\u{E0067}", "1\uFE0F", "م\u200C", "葛\u{E0100}"])
      visible(piece.repeat(200_000));
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

describe("a chunk", () => {
  const never = (): Promise<never> => new Promise(() => {});

  test("is asked for once, and those who wait are drawn again when it is there", async () => {
    let arrive: (module: never) => void = () => {};
    const loading = new Promise<never>((resolve) => {
      arrive = resolve;
    });
    const [code, update] = [vi.fn(() => loading), vi.fn()];
    const chunks = new Chunks({ code, math: never }, () => {});
    const view = new MarkdownView(host({ chunks, update }));
    tree(view.render("```js\na\n```", {}));
    tree(view.render("```js\na\n```\n\nb", {}));
    tree(view.render("```js\nb\n```", {}));
    expect(code).toHaveBeenCalledTimes(1);
    expect(update).not.toHaveBeenCalled();
    arrive({ highlight: () => null } as never);
    await vi.waitFor(() => expect(update).toHaveBeenCalledTimes(1));
    expect(chunks.loaded.code).toBeDefined();
  });

  test("that cannot be loaded is told once and not asked for again, and the plain text stays", async () => {
    const [code, log] = [vi.fn(() => Promise.reject(new Error("offline"))), vi.fn()];
    const chunks = new Chunks({ code, math: never }, log);
    for (let n = 0; n < 3; n++) {
      expect(textOf(only(render("```js\na\n```", {}, host({ chunks })), "code"))).toBe("a");
      await vi.waitFor(() => expect(log).toHaveBeenCalledWith("chunk.failed", { name: "code" }));
    }
    expect(code).toHaveBeenCalledTimes(1);
    expect(log).toHaveBeenCalledTimes(1);
  });

  test("is not asked for by code that is not whole or has no language, or by half a formula", () => {
    const load = vi.fn(never);
    const chunks = new Chunks({ code: load, math: load }, () => {});
    tree(new MarkdownView(host({ chunks })).render("```\nx\n```\n\n```js\nx", { streaming: true }));
    tree(new MarkdownView(host({ chunks })).render("$$\nx", { streaming: true }));
    expect(load).not.toHaveBeenCalled();
    tree(new MarkdownView(host({ chunks })).render("```js\nx\n```\n", { streaming: true }));
    expect(load).toHaveBeenCalledTimes(1);
  });
});

describe("colours for code", () => {
  test("leave the code as it is, in every language that is known", () => {
    const code = "<script>let a = `1`; // x\n/* y */ \"z\\n\" </script>\n- key: value #c\nSELECT 'a' FROM b;\n";
    for (const language of [
      "js",
      "ts",
      "python",
      "html",
      "css",
      "sql",
      "bash",
      "yaml",
      "json",
      "diff",
      "rust",
      "md",
      "php",
      "c++",
      "kt",
    ]) {
      const pieces = highlight(code, language);
      expect(pieces?.map(({ text }) => text).join(""), language).toBe(code);
      expect(
        pieces!.some(({ kind }) => kind !== null),
        language,
      ).toBe(true);
    }
    expect(highlight("x", "no-such-language")).toBeNull();
    expect(highlight("x", "constructor")).toBeNull();
  });

  test("are of the innermost scope that has one", () => {
    expect(highlight("return 1 # no", "python")).toEqual([
      { text: "return", kind: "keyword" },
      { text: " ", kind: null },
      { text: "1", kind: "number" },
      { text: " ", kind: null },
      { text: "# no", kind: "comment" },
    ]);
  });
});
