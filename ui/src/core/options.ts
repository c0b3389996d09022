/** The options as pages give them, checked: what is unknown or has a wrong type is left out and told, never thrown. */

import type * as Public from "@openai/chatkit";
import { isObject } from "./item.ts";
import {
  amount,
  byType,
  call,
  either,
  flag,
  kind,
  list,
  name,
  number,
  oneOf,
  record,
  shape,
  type Tell,
  text,
} from "./schema.ts";

export type UploadStrategy = Public.FileUploadStrategy;

export type CustomApi = Omit<Public.CustomApiConfig, "domainKey"> & { domainKey?: string };

export type HostedApi = Public.HostedApiConfig & {
  /** Chatdock: the conversation endpoint; else the one of the script's own server. */
  url?: string;
  /** Chatdock: where files go instead of the server's own place for them. */
  uploadStrategy?: UploadStrategy;
};

export type Api = CustomApi | HostedApi;

/** `@openai/chatkit`'s options and what Chatdock adds to them; every one may be left out. */
export type Options = Partial<Omit<Public.ChatKitOptions, "api">> & {
  api?: Api;
  /** Chatdock: the heading level of the thread's title, 1 to 5; default 2. What lies below it goes on from there. */
  headingLevel?: number;
};

/** What is good of the options that a page gave, and a sentence about each thing that is not. */
export function checkOptions(given: unknown): { options: Options; problems: string[] } {
  const problems: string[] = [];
  const tell: Tell = (at, problem) => {
    const hint = HINTS.get(at.replace(/\[.*?\]/g, "[]")) ?? eventHint(at);
    problems.push(`${at || "options"} ${problem}${hint ? `: ${hint}` : ""}`);
  };
  let options: Options | undefined;
  try {
    options = OPTIONS(given, "", tell) as Options | undefined;
  } catch {
    tell("", "could not be read");
  }
  return { options: options ?? {}, problems };
}

/** Whether two checked options say the same. Any two functions do, so that a page drawn again with new closures is no change. */
export function sameOptions(a: unknown, b: unknown): boolean {
  if (Object.is(a, b) || (typeof a === "function" && typeof b === "function")) return true;
  if (!isPlain(a) || !isPlain(b) || Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && sameOptions(a[key], b[key]))
  );
}

/** Instances of classes are compared by identity. */
function isPlain(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    [Object.prototype, Array.prototype, null].includes(Object.getPrototypeOf(value))
  );
}

// --- what the public types say, as checks ---------------------------------------------------------------------------

const json = kind("an object for JSON", (value) => isObject(value) && JSON.stringify(value) !== undefined);

const content = byType({
  input_text: shape<Extract<Public.UserMessageContent, { type: "input_text" }>>({ type: text, text }, {}),
  input_tag: shape<Extract<Public.UserMessageContent, { type: "input_tag" }>>(
    { type: text, id: text, text },
    { group: text, data: json, interactive: flag },
  ),
});

const uploadStrategy = byType({
  two_phase: shape<{ type: "two_phase" }>({ type: text }, {}),
  direct: shape<{ type: "direct"; uploadUrl: string }>({ type: text, uploadUrl: name }, {}),
});

const api = either(
  (value) => (value as Partial<HostedApi> | null)?.getClientSecret != null,
  // Pages set `domainKey` there too; it means as little as in a custom one.
  shape<HostedApi & { domainKey?: string }>({ getClientSecret: call }, { url: name, uploadStrategy, domainKey: text }),
  shape<CustomApi>({ url: name }, { fetch: call, domainKey: text, uploadStrategy }),
);

const theme = shape<Public.ThemeOption>(
  {},
  {
    colorScheme: oneOf("light", "dark"),
    radius: oneOf("pill", "round", "soft", "sharp"),
    density: oneOf("compact", "normal", "spacious"),
    typography: shape<Public.TypographyOption>(
      {},
      {
        baseSize: oneOf(14, 15, 16, 17, 18),
        fontFamily: text,
        fontFamilyMono: text,
        fontSources: list(
          shape<Public.FontObject>(
            { family: name, src: name },
            {
              weight: either((value) => typeof value === "number", number, text),
              style: oneOf("normal", "italic", "oblique"),
              display: oneOf("auto", "block", "swap", "fallback", "optional"),
              unicodeRange: text,
            },
          ),
        ),
      },
    ),
    color: shape<Public.ColorOption>(
      {},
      {
        grayscale: shape<Public.GrayscaleOptions>(
          { hue: number, tint: oneOf(0, 1, 2, 3, 4, 5, 6, 7, 8, 9) },
          { shade: oneOf(-4, -3, -2, -1, 0, 1, 2, 3, 4) },
        ),
        accent: shape<Public.AccentColor>({ primary: text, level: oneOf(0, 1, 2, 3) }, {}),
        surface: shape<Public.SurfaceColors>({ background: text, foreground: text }, {}),
      },
    ),
  },
);

const headerAction = shape<NonNullable<Public.HeaderOption["leftAction"]>>({ icon: text, onClick: call }, {});

const composer = shape<Public.ComposerOption>(
  {},
  {
    placeholder: text,
    attachments: shape<NonNullable<Public.ComposerOption["attachments"]>>(
      { enabled: flag },
      {
        maxSize: either((value) => typeof value === "object", record(amount), amount),
        maxCount: amount,
        accept: record(list(text)),
      },
    ),
    tools: list(
      shape<Public.ToolOption>(
        { id: name, label: text, icon: text },
        { shortLabel: text, placeholderOverride: text, pinned: flag, persistent: flag },
      ),
    ),
    models: list(
      shape<Public.ModelOption>({ id: name, label: text }, { description: text, disabled: flag, default: flag }),
    ),
    dictation: shape<NonNullable<Public.ComposerOption["dictation"]>>({ enabled: flag }, {}),
  },
);

const OPTIONS = shape<Options>(
  {},
  {
    api,
    locale: text,
    theme: either((value) => typeof value === "string", oneOf("light", "dark"), theme),
    frameTitle: text,
    initialThread: name,
    onClientTool: call,
    header: shape<Public.HeaderOption>(
      {},
      {
        enabled: flag,
        title: shape<NonNullable<Public.HeaderOption["title"]>>({}, { enabled: flag, text }),
        leftAction: headerAction,
        rightAction: headerAction,
      },
    ),
    history: shape<Public.HistoryOption>({}, { enabled: flag, showDelete: flag, showRename: flag }),
    startScreen: shape<Public.StartScreenOption>(
      {},
      {
        greeting: text,
        prompts: list(
          shape<Public.StartScreenPrompt>(
            { label: text, prompt: either(Array.isArray, list(content), text) },
            { icon: text },
          ),
        ),
      },
    ),
    threadItemActions: shape<Public.ThreadItemActionsOption>({}, { feedback: flag, retry: flag }),
    composer,
    disclaimer: shape<Public.DisclaimerOption>({ text }, { highContrast: flag }),
    entities: shape<Public.EntitiesOption>(
      {},
      { onTagSearch: call, showComposerMenu: flag, onClick: call, onRequestPreview: call },
    ),
    commands: shape<Public.CommandsOption>({ enabled: flag }, { onSearch: call, onSelect: call }),
    widgets: shape<Public.WidgetsOption>({}, { onAction: call }),
    thread: shape<Public.ThreadOption>({}, { autoScroll: flag }),
    headingLevel: oneOf(1, 2, 3, 4, 5),
  },
);

/** For spellings that published code still has. */
const HINTS = new Map(
  Object.entries({
    apiURL: "use api.url",
    "api.apiURL": "use api.url",
    "api.uploadStrategy": "leave it out for a hosted server",
    "composer.attachments.uploadStrategy": "use api.uploadStrategy",
    header: "to hide it use header.enabled",
    "header.customButtonLeft": "use header.leftAction",
    "header.customButtonRight": "use header.rightAction",
    "header.title": "use header.title.text",
    history: "use history.enabled",
    newThreadView: "use startScreen",
    startScreen: "leave it out, or use startScreen.greeting and startScreen.prompts",
    "startScreen.starterPrompts": "use startScreen.prompts",
    "startScreen.prompts[].name": "use label",
    "startScreen.prompts[].text": "use prompt",
    theme: "follow the system's scheme in the page and set light or dark",
    "threadItemActions.share": "ChatKit has it no longer",
  }),
);

/** Handlers that belong to the React hook, or to `addEventListener`. */
function eventHint(at: string): string | null {
  if (!/^on(Ready|Error|Effect|Deeplink|Log|Response|Thread|Tool|History)/.test(at)) return null;
  return `listen for the event chatkit${at.slice(2).replace(/[A-Z]/g, (letter) => `.${letter.toLowerCase()}`)}`;
}
