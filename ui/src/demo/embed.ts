/** The chat alone, for an iframe: `/embed?workflow=wf_support&theme=dark&locale=de`. */

import type { OpenAIChatKit } from "@openai/chatkit";
import { keepThreadInAddress, optionsFor, threadInAddress } from "./chat.ts";
import { readChoices, schemeOf } from "./choices.ts";
import { DemoSessions } from "./session.ts";

const choices = readChoices(location.search);
const sessions = new DemoSessions(choices.workflow);
const chat = document.querySelector("openai-chatkit") as OpenAIChatKit;

function show(): void {
  document.documentElement.dataset.scheme = schemeOf(choices);
  chat.setOptions(optionsFor(choices, sessions, threadInAddress()));
}

await customElements.whenDefined("openai-chatkit");
await sessions.open().catch(() => {
  // The element asks again by itself and shows what is wrong.
});
keepThreadInAddress(chat);
show();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
