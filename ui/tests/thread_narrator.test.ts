import { describe, expect, test } from "vitest";
import { plainText } from "../src/markdown/plain.ts";
import { type Clock, Narrator, sentencesEnd } from "../src/views/thread/narrator.ts";

class FakeClock implements Clock {
  #now = 0;
  #timers: { at: number; run: () => void }[] = [];
  now = () => this.#now;
  after = (ms: number, run: () => void) => {
    const timer = { at: this.#now + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  };
  pass(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#now = next.at;
      next.run();
    }
    this.#now = until;
  }
}

function listen() {
  const clock = new FakeClock();
  const heard: { at: number; text: string }[] = [];
  const narrator = new Narrator((text) => heard.push({ at: clock.now(), text }), clock);
  return { clock, heard, narrator, texts: () => heard.map(({ text }) => text) };
}

const one = (text: string) => new Map([["m/0", text]]);

describe("the narrator", () => {
  test("says the answer in whole sentences, at most once a second, and joined it is the text", () => {
    const { clock, heard, narrator, texts } = listen();
    const answer = "One is here. Two comes!  Three?\nA line\nand the last words ".repeat(20);
    narrator.begin("Responding");
    for (let n = 0; n < answer.length; n += 7) {
      narrator.progress(() => one(answer.slice(0, n)));
      clock.pass(90);
    }
    narrator.progress(() => one(answer));
    narrator.end("Finished");
    clock.pass(10_000);
    expect(texts()[0]).toBe("Responding");
    expect(texts().at(-1)).toBe("Finished");
    expect(texts().slice(1, -1).join("")).toBe(answer);
    expect(heard.length).toBeGreaterThan(8);
    for (const text of texts().slice(1, -2)) expect(text).toMatch(/[.!?]\s+$|\n$/);
    for (let n = 1; n < heard.length; n++) expect(heard[n]!.at - heard[n - 1]!.at).toBeGreaterThanOrEqual(1_000);
  });

  test("reads the text only when it may speak", () => {
    const { clock, narrator } = listen();
    let reads = 0;
    narrator.begin("Responding");
    for (let n = 0; n < 300; n++) {
      narrator.progress(() => {
        reads++;
        return one("A sentence. ".repeat(n));
      });
      clock.pass(10);
    }
    expect(reads).toBeLessThanOrEqual(4);
  });

  test("says a short answer whole at its end", () => {
    const { clock, narrator, texts } = listen();
    narrator.begin("Responding");
    narrator.progress(() => one("Yes"));
    narrator.end("Finished");
    clock.pass(5_000);
    expect(texts()).toEqual(["Responding", "Yes", "Finished"]);
  });

  test("says of an answer that failed no more than its text", () => {
    const { clock, narrator, texts } = listen();
    narrator.begin("Responding");
    narrator.progress(() => one("Ye"));
    narrator.end("");
    clock.pass(5_000);
    expect(texts()).toEqual(["Responding", "Ye"]);
  });

  test("ends one answer before the next", () => {
    const { clock, narrator, texts } = listen();
    narrator.begin("Responding");
    narrator.progress(() => one("The first."));
    clock.pass(500);
    narrator.end("Finished");
    narrator.begin("Responding");
    narrator.progress(() => one("The second."));
    narrator.end("Finished");
    clock.pass(9_000);
    expect(texts()).toEqual(["Responding", "The first. Finished", "Responding", "The second.", "Finished"]);
  });

  test("says texts that grow at the same time, each once", () => {
    const { clock, narrator, texts } = listen();
    narrator.begin("Responding");
    const [first, second] = ["a1 a2. a3 a4. a5 a6", "b1 b2. b3 b4."];
    for (let n = 1; n < 30; n++) {
      const parts: [string, string][] = [
        ["m/0", first.slice(0, n)],
        ["m/1", second.slice(0, Math.max(0, n - 3))],
      ];
      narrator.progress(() => new Map(parts));
      clock.pass(300);
    }
    narrator.end("");
    clock.pass(5_000);
    const said = texts().slice(1).join("");
    for (const own of ["a", "b"])
      expect(said.match(new RegExp(`${own}\\d`, "g"))).toEqual((own === "a" ? first : second).match(/\w\d/g));
  });

  test("loses nothing of a text that comes after one that is taken away", () => {
    const { clock, narrator, texts } = listen();
    narrator.begin("Responding");
    narrator.progress(() => new Map([["gone/0", "This will be removed. "]]));
    clock.pass(3_000);
    narrator.progress(() => new Map([["m/0", "Short."]]));
    narrator.end("");
    clock.pass(3_000);
    expect(
      texts()
        .slice(1)
        .map((text) => text.trim()),
    ).toEqual(["This will be removed.", "Short."]);
  });

  test("goes on behind its last words when what was before them reads otherwise", () => {
    const { clock, narrator, texts } = listen();
    narrator.begin("Responding");
    narrator.progress(() => one("See [the guide][g] first.\nThen sail. "));
    clock.pass(3_000);
    narrator.progress(() => one("See the guide first.\nThen sail. And come back."));
    narrator.end("");
    clock.pass(3_000);
    expect(texts().at(-1)!.trim()).toBe("And come back.");
  });

  test("is silent once it is stopped, until the next answer", () => {
    const { clock, narrator, texts } = listen();
    narrator.begin("Responding");
    narrator.progress(() => one("Something. And more."));
    narrator.stop();
    clock.pass(5_000);
    expect(texts()).toEqual([]);
    narrator.begin("Again");
    clock.pass(1);
    expect(texts()).toEqual(["Again"]);
  });

  test.each([
    ["No end yet", 0],
    ["One. Two", 5],
    ['He said "no." And', 14],
    ["3.5 is a number", 0],
    ["a line\nmore", 7],
    ["你好。再", 3],
    ["The end.", 0],
  ])("finds the end of sentences in %j", (text, end) => {
    expect(sentencesEnd(text)).toBe(end);
  });
});

test("an answer in Markdown is said once, as it reads in the end, however it comes in", () => {
  const markdown =
    "# A title\n\nSome **bold words. And more bold** here. A [link](https://example.com/a.b) too!\n\n" +
    "1. First step.\n2. Second `code. here` step.\n\n> A quote. With two sentences.\n\n" +
    "| a | b |\n|---|---|\n| 1. x | 2 |\n\n```js\nlet a = 1;\nlet b = 2;\n```\n\nThe *end. Really*, the end.";
  for (let size = 1; size < 40; size += 3) {
    const { clock, narrator, texts } = listen();
    narrator.begin("Responding");
    for (let n = 0; n < markdown.length; n += size) {
      const part = markdown.slice(0, n);
      narrator.progress(() => one(plainText(part, true)));
      clock.pass(1_000);
    }
    narrator.progress(() => one(plainText(markdown)));
    narrator.end("");
    clock.pass(5_000);
    expect(texts().slice(1).join("")).toBe(plainText(markdown));
  }
});
