// The element is what `@openai/chatkit` says it is. Compiled, never run.

import type { ChatKitOptions, OpenAIChatKit } from "@openai/chatkit-react";
import type { ChatKitElement } from "../../ui/src/index.ts";

declare const element: ChatKitElement;
declare const options: ChatKitOptions;

const official: OpenAIChatKit = element;
official.setOptions(options);
element.setOptions(options);
official.addEventListener("chatkit.thread.change", ({ detail }) => {
  const threadId: string | null = detail.threadId;
  void threadId;
});
element.addEventListener("click", () => {}, { signal: new AbortController().signal, once: true });

const byTag: OpenAIChatKit = document.createElement("openai-chatkit");
const found: OpenAIChatKit | null = document.querySelector("openai-chatkit");
void [byTag, found];

const done: Promise<void>[] = [
  element.focusComposer(),
  element.setThreadId(null),
  element.sendUserMessage({ text: "hello", newThread: true, toolChoice: { id: "search" }, model: "small" }),
  element.setComposerValue({ text: "hello", files: [], selectedToolId: null }),
  element.sendCustomAction({ type: "go" }, "cti_1"),
  element.fetchUpdates(),
  element.showHistory(),
  element.hideHistory(),
];
void done;
