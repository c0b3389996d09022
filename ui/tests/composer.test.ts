import { afterEach, describe, expect, test, vi } from "vitest";
import type { Words } from "../src/locales/words.ts";
import {
  afterSending,
  type Choices,
  inferenceOptions,
  modelOf,
  NO_CHOICE,
  stillOffered,
} from "../src/views/composer/choice.ts";
import {
  contentOf,
  draftOf,
  EMPTY,
  joined,
  plain,
  readable,
  slice,
  splice,
  TAG,
  tagged,
  tagOf,
} from "../src/views/composer/draft.ts";
import { type BuiltIn, commands, mentions, type Target } from "../src/views/composer/sources.ts";
import { type Source, type Suggestion, Suggestions } from "../src/views/composer/suggestions.ts";
import { queryFrom, triggerAt } from "../src/views/composer/trigger.ts";
import { Undo } from "../src/views/composer/undo.ts";
import type { Context } from "../src/views/context.ts";
import { grouped, step } from "../src/views/menu.ts";

const ada = tagOf({ id: "1", title: "Ada" });
const bob = tagOf({ id: "2", title: "Bob", group: "People", interactive: true, data: { mail: "b@x" }, icon: "user" });
const sentAda = { type: "input_tag", id: "1", text: "Ada", data: {}, interactive: false };

afterEach(() => void vi.useRealTimers());

describe("what is sent", () => {
  test("text and tags are sent in their order, with white space taken off at the two ends only", () => {
    const draft = draftOf([
      { type: "input_text", text: " \n ask " },
      { type: "input_tag", id: "1", text: "Ada" },
      { type: "input_text", text: " or\n" },
      { type: "input_tag", id: "2", text: "Bob", group: "People", data: { mail: "b@x" }, interactive: true },
      { type: "input_text", text: "  " },
    ]);
    expect(contentOf(draft)).toEqual([
      { type: "input_text", text: "ask " },
      sentAda,
      { type: "input_text", text: " or\n" },
      { type: "input_tag", id: "2", text: "Bob", group: "People", data: { mail: "b@x" }, interactive: true },
    ]);
  });

  test("neighbouring text is sent as one part", () => {
    const parts = ["a", "b"].map((text) => ({ type: "input_text" as const, text }));
    expect(contentOf(draftOf(parts))).toEqual([{ type: "input_text", text: "ab" }]);
  });

  test("white space alone is nothing to send, a tag alone is something", () => {
    expect(contentOf(plain(" \n\t "))).toEqual([]);
    expect(contentOf(tagged(ada))).toEqual([sentAda]);
  });

  test("the stand-in for tags cannot be typed or pasted", () => {
    expect(plain(`a${TAG}b\r\nc\rd`)).toEqual({ text: "ab\nc\nd", tags: [] });
  });
});

describe("a draft", () => {
  const draft = splice(splice(plain("x  y"), 2, 2, tagged(ada)), 0, 0, tagged(bob));

  test("keeps its tags in order wherever they are put in", () => {
    expect(draft.tags).toEqual([bob, ada]);
    expect(readable(draft)).toBe("Bobx Ada y");
  });

  test("loses a tag with the text that holds it", () => {
    expect(splice(draft, 0, 1, EMPTY).tags).toEqual([ada]);
    expect(splice(draft, 1, 4, plain("-"))).toEqual({ text: `${TAG}- y`, tags: [bob] });
    expect(slice(draft, 2, 4)).toEqual({ text: ` ${TAG}`, tags: [ada] });
  });

  test("that comes back goes before what was written since", () => {
    expect(readable(joined(tagged(ada), plain("new")))).toBe("Ada\nnew");
    expect(joined(plain("old"), EMPTY)).toEqual(plain("old"));
  });
});

describe("undo", () => {
  const moment = (text: string) => ({ draft: plain(text), start: text.length, end: text.length });

  test("takes letters typed in quick succession back together, and a pause apart", () => {
    const undo = new Undo(moment(""));
    undo.record(moment("a"), "typing", 0);
    undo.record(moment("ab"), "typing", 500);
    undo.record(moment("abc"), "typing", 5000);
    expect(undo.undo()).toEqual(moment("ab"));
    expect(undo.undo()).toEqual(moment(""));
    expect(undo.undo()).toBeUndefined();
    expect(undo.redo()).toEqual(moment("ab"));
  });

  test("does not go forward past something new", () => {
    const undo = new Undo(moment(""));
    undo.record(moment("a"), "other", 0);
    undo.undo();
    undo.record(moment("b"), "typing", 1);
    expect(undo.redo()).toBeUndefined();
    expect(undo.undo()).toEqual(moment(""));
  });

  test("knows what is there now, wherever undo and the caret went", () => {
    const undo = new Undo(moment(""));
    undo.record(moment("ab"), "typing", 0);
    undo.moved(1, 1);
    expect(undo.present).toEqual({ draft: plain("ab"), start: 1, end: 1 });
    undo.undo();
    expect(undo.present).toEqual(moment(""));
    undo.redo();
    expect(undo.present).toEqual({ draft: plain("ab"), start: 1, end: 1 });
  });
});

describe("a mention or command", () => {
  test.each([
    ["@", { kind: "@", start: 0, query: "" }],
    ["hi @al", { kind: "@", start: 3, query: "al" }],
    ["hi\n/su", { kind: "/", start: 3, query: "su" }],
    ["(@al", { kind: "@", start: 1, query: "al" }],
    ["你好@al", { kind: "@", start: 2, query: "al" }],
    [`${TAG}@al`, { kind: "@", start: 1, query: "al" }],
    ["/a/b", { kind: "/", start: 0, query: "a/b" }],
  ])("begins at the start of a word: %j", (text, expected) => {
    expect(triggerAt(text, text.length, "@/")).toEqual(expected);
  });

  test.each(["me@example.org", "and/or", "@al is", "@\nx", "", "@".padEnd(200, "x")])("is none: %j", (text) => {
    expect(triggerAt(text, text.length, "@/")).toBeNull();
  });

  test("ends at the caret, and counts only where it is in use", () => {
    expect(triggerAt("@alice", 3, "@")?.query).toBe("al");
    expect(triggerAt("/x", 2, "@")).toBeNull();
  });

  test("of a next level ends with its word", () => {
    expect(queryFrom("go ab", 3, 5)).toBe("ab");
    expect(queryFrom("go ab ", 3, 6)).toBeNull();
    expect(queryFrom("go", 3, 2)).toBeNull();
  });
});

const said: string[] = [];
const page = (options: object) =>
  ({
    options,
    words: { t: (key: string, values?: object) => key + (values ? JSON.stringify(values) : "") } as Words,
    announce: (text: string) => said.push(text),
    update: () => {},
    callPage: async (_what: string, call: () => unknown) => {
      try {
        return await call();
      } catch {
        return undefined;
      }
    },
  }) as unknown as Context;

const suggestion = (label: string, pick: Suggestion["pick"] = () => {}): Suggestion => ({ id: label, label, pick });

const key = (name: string) => ({ key: name, stopPropagation() {} }) as KeyboardEvent;

describe("the list", () => {
  const open = (source: (query: string) => Source) => {
    vi.useFakeTimers();
    said.length = 0;
    return new Suggestions(
      page({}),
      () => "@",
      (_kind, query) => source(query),
    );
  };

  test("asks once the reader pauses, and drops an answer that came too late", async () => {
    const asked: string[] = [];
    const answers: ((found: Suggestion[]) => void)[] = [];
    const list = open((query) => ({
      own: [],
      ask: () => {
        asked.push(query);
        return new Promise((resolve) => answers.push(resolve));
      },
    }));
    list.follow("@a", 2, true);
    list.follow("@al", 3, true);
    await vi.advanceTimersByTimeAsync(200);
    expect(asked).toEqual(["al"]);
    list.follow("@ali", 4, true);
    await vi.advanceTimersByTimeAsync(200);
    answers[1]?.([suggestion("Alice")]);
    answers[0]?.([suggestion("Albert")]);
    await vi.advanceTimersByTimeAsync(0);
    expect(list.open?.suggestions.map(({ label }) => label)).toEqual(["Alice"]);
    expect(said).toEqual(['composer.results{"count":1}']);
  });

  test("keeps Enter to itself while it searches, and lets it send when nothing was found", async () => {
    const list = open(() => ({ own: [], ask: async () => [] }));
    list.follow("@x", 2, true);
    expect(list.key(key("Enter"))).toBe(true);
    await vi.advanceTimersByTimeAsync(200);
    expect(list.open?.status).toBe("found");
    expect(list.key(key("Enter"))).toBe(false);
    expect(said).toEqual(["composer.noResults"]);
  });

  test("says that a search has failed", async () => {
    const list = open(() => ({ own: [], ask: async () => undefined }));
    list.follow("@x", 2, true);
    await vi.advanceTimersByTimeAsync(200);
    expect(list.open?.status).toBe("failed");
    expect(said).toEqual(["composer.searchFailed"]);
  });

  test("picks by arrows and Tab, with where the typed text is", () => {
    const picked = vi.fn();
    const list = open(() => ({ own: [suggestion("aa"), suggestion("ab", picked)] }));
    list.follow("hi @a", 5, true);
    list.key(key("ArrowDown"));
    expect(list.key(key("Tab"))).toBe(true);
    expect(picked).toHaveBeenCalledWith(3, 5);
    expect(list.open).toBeNull();
  });

  test("that was closed stays closed until another word begins, and a moving caret opens none", () => {
    const list = open(() => ({ own: [suggestion("a")] }));
    list.follow("@", 1, true);
    list.key(key("Escape"));
    list.follow("@a", 2, true);
    expect(list.open).toBeNull();
    list.follow("@a ", 3, true);
    list.follow("@a @", 4, true);
    expect(list.open?.start).toBe(3);
    list.follow("@a @", 0, false);
    expect(list.open).toBeNull();
    list.follow("@a @", 4, false);
    expect(list.open).toBeNull();
  });

  test("of a next level filters what it was given and closes with the word", () => {
    const list = open(() => ({ own: [] }));
    list.openLevel([suggestion("One"), suggestion("Two")], 3);
    list.follow("go tw", 5, true);
    expect(list.open?.suggestions.map(({ label }) => label)).toEqual(["Two"]);
    list.follow("go tw ", 6, true);
    expect(list.open).toBeNull();
  });
});

describe("commands", () => {
  const target = () => ({ replaceWithTag: vi.fn(), remove: vi.fn(), insertTag: vi.fn(), openLevel: vi.fn() });
  const attach: BuiltIn = { id: "attach", label: "Add files", icon: "paperclip", run: vi.fn() };

  test("of the composer run once what was typed is gone", () => {
    const to = target();
    commands(page({}), to, [attach], "").own[0]?.pick(2, 5);
    expect(to.remove).toHaveBeenCalledWith(2, 5);
    expect(attach.run).toHaveBeenCalledOnce();
  });

  test("of the page insert an entity, open the next level, or only do something", async () => {
    const to = target();
    const commandsOption = {
      onSearch: async () => [{ id: "more", label: "More" }, { id: "void", label: "Effect" }, { label: "no id" }],
      onSelect: async ({ id }: { id: string }) => {
        if (id === "more") return { type: "menu", commands: [{ id: "ada", label: "Ada" }] };
        return id === "ada" ? { type: "entity", entity: { id: "1", title: "Ada" } } : undefined;
      },
    };
    const found = await commands(page({ commands: commandsOption }), to, [], "").ask?.();
    expect(found?.map(({ label }) => label)).toEqual(["More", "Effect"]);
    await found?.[1]?.pick(0, 1);
    expect(to.openLevel).not.toHaveBeenCalled();
    await found?.[0]?.pick(0, 1);
    const [level] = to.openLevel.mock.calls[0] as [Suggestion[]];
    await level[0]?.pick(0, 0);
    expect(to.insertTag).toHaveBeenCalledWith(ada);
    expect(to.remove).toHaveBeenCalledTimes(3);
  });

  test("and mentions that the page answers with anything but a list count as failed", async () => {
    const wrong = page({ commands: { onSearch: () => "x" }, entities: { onTagSearch: () => Promise.reject(Error()) } });
    expect(await commands(wrong, target() as Target, [], "").ask?.()).toBeUndefined();
    expect(await mentions(wrong, target() as Target, "").ask?.()).toBeUndefined();
  });

  test("a mention takes the place of what was typed", async () => {
    const to = target();
    const entities = { onTagSearch: async () => [{ id: "1", title: "Ada" }, { title: "no id" }, null] };
    const found = await mentions(page({ entities }), to, "a").ask?.();
    expect(found).toHaveLength(1);
    found?.[0]?.pick(4, 6);
    expect(to.replaceWithTag).toHaveBeenCalledWith(4, 6, ada);
  });
});

describe("tool and model", () => {
  const choices: Choices = {
    tools: [
      { id: "once", label: "Once", icon: "bolt" },
      { id: "kept", label: "Kept", icon: "bolt", persistent: true },
    ],
    models: [
      { id: "off", label: "Off", disabled: true, default: true },
      { id: "a", label: "A" },
      { id: "b", label: "B", default: true },
    ],
  };
  const none: Choices = { tools: [], models: [] };

  test("the default model is sent, and none where none can be chosen", () => {
    expect(inferenceOptions(NO_CHOICE, choices)).toEqual({ model: "b" });
    expect(inferenceOptions({ toolId: "once", modelId: "a" }, choices)).toEqual({
      tool_choice: { id: "once" },
      model: "a",
    });
    expect(inferenceOptions({ toolId: "once", modelId: "a" }, none)).toBeUndefined();
  });

  test("a disabled model is not used, were it chosen or the default", () => {
    expect(modelOf({ toolId: null, modelId: "off" }, choices)?.id).toBe("b");
    expect(modelOf(NO_CHOICE, { tools: [], models: choices.models.slice(0, 2) })?.id).toBe("a");
  });

  test("only a persistent tool stays chosen after sending", () => {
    expect(afterSending({ toolId: "once", modelId: "a" }, choices)).toEqual({ toolId: null, modelId: "a" });
    expect(afterSending({ toolId: "kept", modelId: null }, choices).toolId).toBe("kept");
  });

  test("what vanishes from the options is no longer chosen, the rest is the same choice", () => {
    const choice = { toolId: "once", modelId: "a" };
    expect(stillOffered(choice, choices)).toBe(choice);
    expect(stillOffered(choice, none)).toEqual(NO_CHOICE);
  });
});

describe("a menu", () => {
  test("goes round with the arrows and to its ends", () => {
    expect([step("ArrowDown", 2, 3), step("ArrowUp", 0, 3), step("ArrowUp", -1, 3)]).toEqual([0, 2, 2]);
    expect([step("Home", 1, 3), step("End", 1, 3), step("a", 1, 3), step("End", 0, 0)]).toEqual([
      0,
      2,
      undefined,
      undefined,
    ]);
  });

  test("puts neighbours of a group together", () => {
    const items = [{ n: 1 }, { n: 2, group: "G" }, { n: 3, group: "G" }, { n: 4 }];
    expect(grouped(items).map(([group, members]) => [group, members.map(({ n }) => n)])).toEqual([
      [undefined, [1]],
      ["G", [2, 3]],
      [undefined, [4]],
    ]);
  });
});
