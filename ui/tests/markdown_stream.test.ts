import { describe, expect, test } from "vitest";
import SHOWCASE from "../../src/chatdock/workflows/showcase/markdown.md?raw";
import { Blocks } from "../src/markdown/blocks.ts";
import { MarkdownView } from "../src/markdown/view.ts";
import { HOSTILE } from "./hostile.ts";
import { drawn, host, outline, textOf, tree } from "./markdown_tree.ts";

/** Numbers from 0 to 1 that are the same in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const PIECES = [
  'A paragraph with **bold**, *italic*, `code` and [a link](https://example.com/a_(b)?q=1 "title").',
  "Two lines\nof one paragraph, ~~gone~~ and $x^2$ for $5.",
  "- one\n- two **bold**\n  - nested `code`\n- three",
  "1. first\n\n   ```js\n   const a = 1;\n   ```\n\n2. second\n3. third",
  "- [x] done\n- [ ] open",
  "| a | b |\n|:--|--:|\n| 1 | **2** |\n| `x` | [y](https://example.com) |",
  "```python\ndef f():\n\n    return '```'\n```",
  "~~~\n```\n~~~",
  "    indented\n\n    code",
  "$$\na = b\n+ c\n$$",
  "\\[ x \\]",
  "> quote\n> - list\n>\n> > inner",
  "# Heading\n## Another *one*",
  "Setext\n======",
  "---",
  "[ref] and ![image][ref]",
  "[ref]: https://example.com/ref",
  "<div>\n**html**\n</div>",
  "<!-- comment -->",
  "Text <!-- in --> line\\\nhard  \nbreak",
  "日本語の**強調**と`コード`。👩‍👩‍👧",
];

function document(random: () => number): string {
  const count = 2 + Math.floor(random() * 10);
  return Array.from({ length: count }, () => PIECES[Math.floor(random() * PIECES.length)]).join(
    random() < 0.8 ? "\n\n" : "\n",
  );
}

/** The text in pieces of random length, as it would arrive. */
function* growing(text: string, random: () => number): Generator<string> {
  const most = 1 + Math.floor(random() * 40);
  for (let end = 0; end < text.length; ) {
    end = Math.min(text.length, end + 1 + Math.floor(random() * most));
    yield text.slice(0, end);
  }
}

describe("a text that grew", () => {
  test("ends as the same text does that came at once, in 1,500 random ways to cut it", { timeout: 60_000 }, () => {
    const random = seeded(1);
    for (let run = 0; run < 1_500; run++) {
      const text = run % 50 === 0 ? SHOWCASE : run % 5 === 0 ? HOSTILE[run % HOSTILE.length]! : document(random);
      const view = new MarkdownView(host());
      for (const part of growing(text, random)) view.render(part, { streaming: true });
      expect(outline(tree(view.render(text, {})).children[0] as never)).toBe(drawn(text));
    }
  });

  test("looks while it grows as it would if all so far had come at once", { timeout: 60_000 }, () => {
    const random = seeded(2);
    for (let run = 0; run < 60; run++) {
      // References are looked up again only at the end.
      const text = document(random).replaceAll("[ref]", "(ref)");
      const view = new MarkdownView(host());
      for (const part of growing(text, random)) {
        expect(outline(tree(view.render(part, { streaming: true })).children[0] as never), JSON.stringify(part)).toBe(
          drawn(part, { streaming: true }),
        );
      }
    }
  });

  test("is lexed only at its end, and what is finished stays the same object", () => {
    const blocks = new Blocks();
    const options = { streaming: true, breaks: true };
    const text = Array.from({ length: 40 }, (_, n) => `Paragraph ${n} with **bold**.`).join("\n\n");
    let before = blocks.update(text.slice(0, 1), options);
    for (let end = 2; end <= text.length; end++) {
      const now = blocks.update(text.slice(0, end), options);
      for (let n = 0; n < before.length - 2; n++) expect(now[n]).toBe(before[n]);
      before = now;
    }
    const whole = blocks.update(text, { streaming: false, breaks: true });
    expect(whole.length).toBe(40);
    for (let n = 0; n < 38; n++) expect(whole[n]).toBe(before[n]);
  });

  test("starts over when it was replaced", () => {
    const view = new MarkdownView(host());
    view.render("First **text**\n\nwith\n\nmany\n\nblocks", { streaming: true });
    expect(outline(tree(view.render("Second", { streaming: true })).children[0] as never)).toBe("<p>Second</p>");
    expect(outline(tree(view.render("Third", {})).children[0] as never)).toBe("<p>Third</p>");
  });

  test("gets its references when their definitions come at the end", () => {
    const view = new MarkdownView(host());
    const text = "See [this][r].\n\na\n\nb\n\nc\n\n[r]: https://example.com/";
    for (let end = 1; end <= text.length; end++) view.render(text.slice(0, end), { streaming: true });
    expect(outline(tree(view.render(text, {})).children[0] as never)).toContain("href=https://example.com/");
  });
});

describe("half of a marker is never seen", () => {
  const seen = (text: string, state = { streaming: true }): string =>
    textOf(tree(new MarkdownView(host()).render(text, state)));
  const cases: [text: string, never: RegExp][] = [
    ["Some **bold** and __more__ and *it* and _this_ and ***all***.", /[*_]/],
    ["Some `code` and ``a b``.", /`/],
    ['A [link](https://example.com/x "title") here.', /[[\]()]|example/],
    ["A [link **bold** `c`][ref] here.\n\n[ref]: https://example.com", /\[ref\]:|\*/],
    ['An ![image](https://example.com/x.png "title") here.', /!|\[|\(/],
    ["A [![image](https://example.com/x.png)](https://example.com) here.", /!|\[|\(/],
    ["Auto <https://example.com/x> link.", /<(?!h?t?t?p?s?$)/],
    ["Some ~~struck~~ text.", /~/],
    ["Display $$x^2$$ and \\(y\\) and \\[z\\] math.", /\$|\\/],
    ["Text\n\n$$\nx^2\n$$\n\nMore", /\$/],
    ["Text\n$$\nx\n= y\n- z\n$$\nMore", /\$/],
    ["A <!-- comment --> here.", /<|!|-/],
    ["```python\nx = 1\n```\n\nText", /`|^p$|^py$/],
    ["- item\n\n  ~~~\n  code\n  ~~~\n- next", /~|-/],
    ["Intro\n\n| a | b |\n|---|:-:|\n| 1 | 2 |\n\nEnd", /[|:-]/],
    ["Intro\n| **a** | b |\n|---|---|\n| `1` | **2** |", /[|*`-]/],
    ["> quote\n> | a | b |\n> |---|---|\n> | 1 | 2 |", /[|>-]/],
    ["# Heading\n\n- one\n- two\n  1. three\n\n> quote\n\n---\n\nEnd", /[#>-]|\d/],
    ["- [ ] open\n- [x] done", /[[\]-]/],
    ["Title\n===\n\nOther\n---\n\nEnd", /[=-]/],
    ["An escaped \\* star", /\\/],
    ["**[link](https://example.com)** and **`code`** and *a **b** c*", /[*`[\]()]/],
    ["> - **bold in\n>   a list** and `code`", /[*`>-]/],
  ];
  for (const [text, never] of cases) {
    test(JSON.stringify(text), () => {
      for (let end = 1; end <= text.length; end++) {
        const shown = seen(text.slice(0, end)).replace(/code\.label\S*|table\.label/g, "");
        expect(
          shown.replace(/image · answer.blockedImage example.com| \(link.external\)|An escaped \*/g, ""),
          JSON.stringify(text.slice(0, end)),
        ).not.toMatch(never);
      }
    });
  }

  test("a list, a table and a block of code stay what they are", () => {
    const names = (text: string) =>
      tree(new MarkdownView(host()).render(text, { streaming: true })).children.flatMap((md) =>
        (md as { children: { name: string }[] }).children.map(({ name }) => name),
      );
    for (const [text, name] of [
      ["- a\n\n- b **c**\n\n  d\n- e", "ul"],
      ["1. a\n2. b\n\n   - c\n3. d", "ol"],
      ["```js\na\n\n- b\n# c\n| d |\n", "div"],
      ["| a | b |\n|---|---|\n| c | d |\n| e **f", "div"],
      ["> a\n> b\n>\n> - c", "blockquote"],
    ] as const) {
      for (let end = text.startsWith("|") ? 21 : text.startsWith("`") ? 5 : 4; end <= text.length; end++) {
        expect(names(text.slice(0, end)), JSON.stringify(text.slice(0, end))).toEqual([name]);
      }
    }
  });
});

describe("markup without end", () => {
  const of = (piece: string, size: number): string => piece.repeat(Math.ceil(size / piece.length)).slice(0, size);
  const texts: [name: string, text: string][] = [
    ...["[", "![", "*", "**a", "**a ", ">", "> ", "``", "$$"].map(
      (piece) => [piece, of(piece, 1_000_000)] as [string, string],
    ),
    ...["> a\n", "| a |\n", "```\n", "```\na\n```\n\n", "|a|b|\n|-|-|\n"].map(
      (piece) => [piece, of(piece, 1_000_000)] as [string, string],
    ),
    ...[
      "_a ",
      "__a",
      "~~a ",
      "`a``b",
      "<",
      "<a ",
      "<!--",
      "&",
      "[a](",
      "![a](",
      "[a][b]",
      "[a",
      "!",
      "- ",
      "- a\n",
      "1. ",
      "1. a\n",
    ].map((piece) => [piece, of(piece, 200_000)] as [string, string]),
    ...[
      "|a",
      "$",
      "$a ",
      "$$\n",
      "$$ a\n\n",
      "\\(",
      "\\[\n",
      "a\n\n",
      "a\n",
      "#",
      "# a\n",
      "a\n=\n",
      "[a]: b\n",
      "[a]: <b\n",
    ].map((piece) => [piece, of(piece, 200_000)] as [string, string]),
    ...["https://a.", "www.a.", "a@b.c ", "\u{E0041}", "\u200B", "&#65;", "\\", "a  \n", "<div>\n", "- a\n  - b\n"].map(
      (piece) => [piece, of(piece, 200_000)] as [string, string],
    ),
    ["lists in lists", Array.from({ length: 600 }, (_, depth) => `${" ".repeat(2 * depth)}- a\n`).join("")],
    ["a long table", `|a|b|\n|-|-|\n${of("|a|b|\n", 1_000_000)}`],
    ["a wide table with short rows", `${"|a".repeat(99)}|\n${"|-".repeat(99)}|\n${of("|b\n", 1_000_000)}`],
    ["half of an embedded image", `![x](data:image/png;base64,${of("A", 1_000_000)}`],
    ["an embedded image", `![x](data:image/png;base64,${of("A", 1_000_000)})`],
  ];

  for (const [name, text] of texts) {
    test(`such as ${JSON.stringify(name)} takes a moment`, { timeout: 60_000 }, () => {
      const started = performance.now();
      new MarkdownView(host()).render(text, {});
      new MarkdownView(host()).render(text, { streaming: true });
      // Each takes less than a second where nothing else runs; what is quadratic takes minutes.
      expect(performance.now() - started).toBeLessThan(15_000);
    });
  }
});
