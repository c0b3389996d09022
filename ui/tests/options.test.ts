import type { ChatKitOptions } from "@openai/chatkit";
import { describe, expect, test } from "vitest";
import { checkOptions, sameOptions } from "../src/core/options.ts";

const call = () => {};
const resolve = async () => [];

/** Every option that there is. */
const full = {
  api: {
    url: "/chat",
    domainKey: "dk",
    fetch: async () => new Response(),
    uploadStrategy: { type: "direct", uploadUrl: "/up" },
  },
  locale: "de",
  theme: {
    colorScheme: "dark",
    radius: "soft",
    density: "compact",
    typography: {
      baseSize: 16,
      fontFamily: "Inter",
      fontFamilyMono: "Mono",
      fontSources: [
        { family: "Inter", src: "/i.woff2", weight: 400, style: "italic", display: "swap", unicodeRange: "U+0-FF" },
        { family: "Inter", src: "/v.woff2", weight: "100 900" },
      ],
    },
    color: {
      grayscale: { hue: 220, tint: 6, shade: -4 },
      accent: { primary: "#0f172a", level: 0 },
      surface: { background: "#fff", foreground: "#000" },
    },
  },
  frameTitle: "Help",
  initialThread: "cthr_1",
  onClientTool: () => ({}),
  header: {
    enabled: true,
    title: { enabled: true, text: "Help" },
    leftAction: { icon: "home", onClick: call },
    rightAction: { icon: "close", onClick: call },
  },
  history: { enabled: true, showDelete: false, showRename: false },
  startScreen: {
    greeting: "Hi",
    prompts: [
      { label: "A", prompt: "a", icon: "bolt" },
      {
        label: "B",
        prompt: [
          { type: "input_text", text: "Ask " },
          { type: "input_tag", id: "t", text: "T", group: "G", data: { deep: { n: 1 } }, interactive: true },
        ],
      },
    ],
  },
  threadItemActions: { feedback: true, retry: true },
  composer: {
    placeholder: "Ask",
    attachments: {
      enabled: true,
      maxSize: { "image/*": 10, "*": Infinity },
      maxCount: 3,
      accept: { "image/*": [".png"] },
    },
    tools: [
      { id: "t", label: "T", icon: "globe", shortLabel: "t", placeholderOverride: "p", pinned: true, persistent: true },
    ],
    models: [{ id: "m", label: "M", description: "d", disabled: false, default: true }],
    dictation: { enabled: true },
  },
  disclaimer: { text: "*Careful*", highContrast: true },
  entities: {
    onTagSearch: resolve,
    showComposerMenu: true,
    onClick: call,
    onRequestPreview: async () => ({ preview: null }),
  },
  commands: { enabled: true, onSearch: resolve, onSelect: async () => {} },
  widgets: { onAction: async () => {} },
  thread: { autoScroll: true },
  headingLevel: 3,
} satisfies ChatKitOptions & { headingLevel: number };

const minimal = { api: { url: "/chat" } };
const problemsOf = (given: object) => checkOptions({ ...minimal, ...given }).problems;

describe("good options", () => {
  test("come through as they are, functions by reference", () => {
    const { options, problems } = checkOptions(full);
    expect(problems).toEqual([]);
    expect(options).toEqual(full);
    expect(options).not.toBe(full);
    expect(options.entities?.onTagSearch).toBe(resolve);
    expect(options.header?.leftAction?.onClick).toBe(call);
  });

  test.each([
    { api: { getClientSecret: async () => "ek_1" } },
    { api: { getClientSecret: async () => "ek_1", url: "https://chat.example/x", domainKey: "dk" } },
    { api: { url: "/chat" } },
    { api: { url: "/chat", uploadStrategy: { type: "two_phase" } }, theme: "dark" },
    { composer: { attachments: { enabled: false, maxSize: 5 } } },
    {},
  ])("%j", (given) => {
    expect(checkOptions(given)).toEqual({ options: given, problems: [] });
  });

  test("null and undefined are not given", () => {
    const given = { ...minimal, initialThread: null, disclaimer: null, locale: undefined, header: { title: null } };
    expect(checkOptions(given)).toEqual({ options: { ...minimal, header: {} }, problems: [] });
  });

  test("also come from getters and prototypes", () => {
    class Settings {
      get locale() {
        return "fr";
      }
      api = minimal.api;
    }
    expect(checkOptions(new Settings())).toEqual({ options: { ...minimal, locale: "fr" }, problems: [] });
  });
});

describe("what is wrong is left out and named with its place", () => {
  test("unknown keys at every level", () => {
    const { options, problems } = checkOptions({
      ...minimal,
      colour: "red",
      header: { sticky: true, title: { text: "T", size: 1 } },
      startScreen: { prompts: [{ label: "A", prompt: "a", tint: "x" }] },
      composer: { attachments: { enabled: true, max: 1 }, models: [{ id: "m", label: "M", cost: 1 }] },
      constructor: 1,
    });
    expect(options).toEqual({
      ...minimal,
      header: { title: { text: "T" } },
      startScreen: { prompts: [{ label: "A", prompt: "a" }] },
      composer: { attachments: { enabled: true }, models: [{ id: "m", label: "M" }] },
    });
    expect(problems.sort()).toEqual([
      "colour is not an option",
      "composer.attachments.max is not an option",
      "composer.models[0].cost is not an option",
      "constructor is not an option",
      "header.sticky is not an option",
      "header.title.size is not an option",
      "startScreen.prompts[0].tint is not an option",
    ]);
  });

  test.each([
    [{ locale: 7 }, "locale must be text"],
    [{ initialThread: "" }, "initialThread must be text that is not empty"],
    [{ onClientTool: {} }, "onClientTool must be a function"],
    [{ history: { enabled: "yes" } }, "history.enabled must be true or false"],
    [{ headingLevel: 0 }, "headingLevel must be one of 1, 2, 3, 4, 5"],
    [{ headingLevel: 6 }, "headingLevel must be one of 1, 2, 3, 4, 5"],
    [{ theme: { radius: "sm" } }, 'theme.radius must be one of "pill", "round", "soft", "sharp"'],
    [{ theme: { typography: { baseSize: 12 } } }, "theme.typography.baseSize must be one of 14, 15, 16, 17, 18"],
    [{ composer: { tools: {} } }, "composer.tools must be a list"],
    [
      { composer: { attachments: { enabled: true, maxCount: -1 } } },
      "composer.attachments.maxCount must be a number of 0 or more",
    ],
    [
      { composer: { attachments: { enabled: true, maxSize: { "image/*": "1MB" } } } },
      'composer.attachments.maxSize["image/*"] must be a number of 0 or more',
    ],
    [
      { composer: { attachments: { enabled: true, accept: { "image/*": [1] } } } },
      'composer.attachments.accept["image/*"][0] must be text',
    ],
    [
      { composer: { attachments: { enabled: true, accept: "image/*" } } },
      "composer.attachments.accept must be an object",
    ],
    [
      { startScreen: { prompts: [{ label: "A", prompt: [{ type: "text" }] }] } },
      "startScreen.prompts[0].prompt[0] must be an object with the type input_text or input_tag",
    ],
  ])("%j", (given, problem) => {
    const { options, problems } = checkOptions({ ...minimal, ...given });
    expect(problems).toEqual([problem]);
    expect(options.api).toEqual(minimal.api);
  });

  test("an object without what it needs goes as a whole, and its neighbours stay", () => {
    const { options, problems } = checkOptions({
      ...minimal,
      startScreen: { greeting: "Hi", prompts: [{ label: "A" }, { label: "B", prompt: "b" }, false] },
      theme: { density: "compact", color: { accent: { primary: "#000", level: 9 } } },
      disclaimer: {},
    });
    expect(options).toEqual({
      ...minimal,
      startScreen: { greeting: "Hi", prompts: [{ label: "B", prompt: "b" }] },
      theme: { density: "compact", color: {} },
    });
    expect(problems).toEqual([
      "theme.color.accent.level must be one of 0, 1, 2, 3",
      "theme.color.accent is left out, because it needs level",
      "startScreen.prompts[0] is left out, because it needs prompt",
      "startScreen.prompts[2] must be an object",
      "disclaimer is left out, because it needs text",
    ]);
  });

  test.each([
    [{ api: {} }, ["api is left out, because it needs url"]],
    [{ api: { url: "" } }, ["api.url must be text that is not empty", "api is left out, because it needs url"]],
    [
      { api: { getClientSecret: "ek_1" } },
      ["api.getClientSecret must be a function", "api is left out, because it needs getClientSecret"],
    ],
    [{ api: "/chat" }, ["api must be an object"]],
  ])("%j", (given, problems) => {
    expect(checkOptions(given)).toEqual({ options: {}, problems });
  });

  test.each([null, undefined, "x", 7, [], call])("options that are %s", (given) => {
    expect(checkOptions(given)).toEqual({ options: {}, problems: ["options must be an object"] });
  });
});

describe("spellings of published code get a hint", () => {
  test.each([
    [
      { startScreen: { prompts: [{ name: "A", label: "A", prompt: "a" }] } },
      "startScreen.prompts[0].name is not an option: use label",
    ],
    [{ header: { title: "x" } }, "header.title must be an object: use header.title.text"],
    [{ header: { customButtonLeft: {} } }, "header.customButtonLeft is not an option: use header.leftAction"],
    [{ header: false }, "header must be an object: to hide it use header.enabled"],
    [{ threadItemActions: { share: true } }, "threadItemActions.share is not an option: ChatKit has it no longer"],
    [{ newThreadView: {} }, "newThreadView is not an option: use startScreen"],
    [{ onThreadChange: call }, "onThreadChange is not an option: listen for the event chatkit.thread.change"],
    [{ onThreadLoadEnd: call }, "onThreadLoadEnd is not an option: listen for the event chatkit.thread.load.end"],
  ])("%j", (given, problem) => {
    expect(problemsOf(given)).toEqual([problem]);
  });
});

describe("nothing that a page gives makes it throw", () => {
  const bad = () => {
    throw new Error("no");
  };
  const trap = new Proxy({}, { get: bad, ownKeys: bad, getPrototypeOf: bad, has: bad });
  const { proxy: revoked, revoke } = Proxy.revocable([], {});
  revoke();
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const tag = (data: unknown) => [{ label: "A", prompt: [{ type: "input_tag", id: "t", text: "T", data }] }];

  test.each([
    [
      "a getter that throws",
      {
        get locale() {
          return bad();
        },
      },
      "locale could not be read",
    ],
    [
      "a deep getter that throws",
      {
        header: {
          get title() {
            return bad();
          },
        },
      },
      "header.title could not be read: use header.title.text",
    ],
    ["a trap for an option", { composer: trap }, "composer.placeholder could not be read"],
    ["a revoked proxy", { composer: { tools: revoked } }, "composer.tools could not be read"],
    [
      "data with a cycle",
      { startScreen: { prompts: tag(cycle) } },
      "startScreen.prompts[0].prompt[0].data could not be read",
    ],
    [
      "data that is no object",
      { startScreen: { prompts: tag("x") } },
      "startScreen.prompts[0].prompt[0].data must be an object for JSON",
    ],
  ])("%s", (_, given, problem) => {
    const { options, problems } = checkOptions(
      Object.defineProperties({ ...minimal }, Object.getOwnPropertyDescriptors(given)),
    );
    expect(problems).toContain(problem);
    expect(options.api).toEqual(minimal.api);
  });

  test("a trap for the whole", () => {
    const { options, problems } = checkOptions(trap);
    expect(options).toEqual({});
    expect(problems).toContain("api could not be read");
    expect(problems).toContain("options could not be read");
  });

  test("a bad entry of an object leaves no trace", () => {
    const { options } = checkOptions({
      composer: { attachments: { enabled: true, maxSize: { "*": 1, "image/*": "2" } } },
    });
    expect(options).toStrictEqual({ composer: { attachments: { enabled: true, maxSize: { "*": 1 } } } });
  });

  test("a key that is named like a prototype stays a key", () => {
    const maxSize = JSON.parse('{"__proto__": 5}');
    const { options } = checkOptions({ ...minimal, composer: { attachments: { enabled: true, maxSize } } });
    const checked = options.composer?.attachments?.maxSize as object;
    expect(Object.keys(checked)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(checked)).toBe(Object.prototype);
  });
});

describe("sameness", () => {
  test("new closures are no change", () => {
    const again = { ...full, onClientTool: () => ({ other: true }), widgets: { onAction: async () => {} } };
    expect(sameOptions(full, structuredCloneWithFunctions(again))).toBe(true);
  });

  test.each([
    { ...full, locale: "fr" },
    { ...full, widgets: {} },
    { ...full, onClientTool: null },
    { ...full, startScreen: { ...full.startScreen, prompts: full.startScreen.prompts.slice(1) } },
    { ...full, history: [] },
    { ...full, headingLevel: undefined },
    { ...full, extra: undefined },
  ])("a change is seen (%#)", (other) => {
    expect(sameOptions(full, other)).toBe(false);
    expect(sameOptions(other, full)).toBe(false);
  });

  test("a list is no object", () => {
    expect(sameOptions([], {})).toBe(false);
  });

  test("instances of classes are the same only when they are one", () => {
    const day = new Date(0);
    expect(sameOptions({ day }, { day })).toBe(true);
    expect(sameOptions({ day }, { day: new Date(0) })).toBe(false);
    expect(sameOptions({ n: Number.NaN }, { n: Number.NaN })).toBe(true);
  });
});

function structuredCloneWithFunctions<T>(value: T): T {
  if (Array.isArray(value)) return value.map(structuredCloneWithFunctions) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, structuredCloneWithFunctions(member)]),
  ) as T;
}
