/** The element on both demo pages: its options for a workflow, and the thread in the page's address. */

import type { ChatKitOptions, Entity, OpenAIChatKit, StartScreenPrompt } from "@openai/chatkit";
import { type Choices, lookOf, schemeOf } from "./choices.ts";
import type { DemoSessions } from "./session.ts";

const SHOWCASE = "wf_showcase";
const SHOWN: StartScreenPrompt[] = [
  { label: "Everything that Markdown can do", prompt: "markdown", icon: "document" },
  { label: "A workflow with every kind of task", prompt: "workflow", icon: "settings-slider" },
  { label: "Every widget", prompt: "widgets", icon: "cube" },
  { label: "Questions with answers to pick", prompt: "input", icon: "circle-question" },
  { label: "A picture that is generated in steps", prompt: "image", icon: "square-image" },
  { label: "All commands", prompt: "help", icon: "compass" },
];
const ASKED: StartScreenPrompt[] = [
  { label: "Say hello", prompt: "Say hello.", icon: "sparkle" },
  { label: "What can you do?", prompt: "What can you do?", icon: "lightbulb" },
];
const ENTITIES: Entity[] = [
  { id: "doc_guide", title: "Getting started", group: "Documents", icon: "book-open", interactive: true },
  { id: "doc_api", title: "API reference", group: "Documents", icon: "square-code", interactive: true },
  { id: "person_ada", title: "Ada Lovelace", group: "People", icon: "user", interactive: true },
  { id: "person_alan", title: "Alan Turing", group: "People", icon: "user", interactive: true },
];

/** The options for what was chosen. */
export function optionsFor(choices: Choices, sessions: DemoSessions, initialThread: string | null): ChatKitOptions {
  const isShowcase = sessions.workflow === SHOWCASE;
  return {
    ...lookOf(choices, schemeOf(choices)),
    api: { getClientSecret: sessions.getClientSecret },
    initialThread,
    frameTitle: `Chat with ${sessions.workflow}`,
    startScreen: { prompts: isShowcase ? SHOWN : ASKED },
    thread: { autoScroll: true },
    threadItemActions: { feedback: true, retry: true },
    disclaimer: { text: isShowcase ? "The showcase follows orders; no model answers." : "Answers can be wrong." },
    onClientTool: ({ name, params }) => ({ answeredBy: "the demo page", name, params }),
    ...(isShowcase && {
      composer: {
        dictation: { enabled: true },
        tools: [
          { id: "search", label: "Search the web", shortLabel: "Search", icon: "globe" },
          { id: "think", label: "Think longer", shortLabel: "Think", icon: "lightbulb", persistent: true },
        ],
        models: [
          { id: "small", label: "Small", description: "Answers at once", default: true },
          { id: "large", label: "Large", description: "Takes its time" },
        ],
      },
      entities: {
        showComposerMenu: true,
        onTagSearch: async (query) => ENTITIES.filter(({ title }) => title.toLowerCase().includes(query.toLowerCase())),
        onRequestPreview: async ({ title, group }) => ({
          preview: {
            type: "Basic",
            children: [
              { type: "Title", value: title, size: "sm" },
              { type: "Caption", value: `One of the demo's ${group?.toLowerCase() ?? "entities"}` },
            ],
          },
        }),
      },
    }),
  };
}

/** The thread that the page's address names after `#`. */
export function threadInAddress(): string | null {
  return /^#(cthr_\w+)$/.exec(location.hash)?.[1] ?? null;
}

/** Keeps the address and the element on the same thread. */
export function keepThreadInAddress(chat: OpenAIChatKit): void {
  let threadId = threadInAddress();
  chat.addEventListener("chatkit.thread.change", ({ detail }) => {
    threadId = detail.threadId;
    history.replaceState(null, "", threadId ? `#${threadId}` : location.pathname + location.search);
  });
  addEventListener("hashchange", () => {
    if (threadInAddress() !== threadId) void chat.setThreadId(threadInAddress());
  });
}
