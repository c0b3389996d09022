/** What stands where the messages will be: a greeting and prompts, of which a click sends one at once. */

import type { StartScreenPrompt } from "@openai/chatkit";
import { html, nothing, type TemplateResult } from "lit";
import type { Context } from "./context.ts";
import { icon } from "./icon.ts";

export function start({ options, words }: Context, send: (prompt: StartScreenPrompt) => void): TemplateResult {
  const { greeting, prompts = [] } = options.startScreen ?? {};
  return html`<div class="start" part="start-screen">
    <div class="start-greeting" part="greeting" role="heading" aria-level=${(options.headingLevel ?? 2) + 1} dir="auto">
      ${greeting ?? words.t("start.greeting")}
    </div>
    ${
      prompts.length === 0
        ? nothing
        : html`<ul class="start-prompts" role="list" aria-label=${words.t("start.prompts")}>
            ${prompts.map(
              (prompt) => html`<li>
                <button type="button" class="start-prompt" part="prompt" dir="auto" @click=${() => send(prompt)}>
                  ${prompt.icon ? icon(prompt.icon) : nothing}<span>${prompt.label}</span>
                </button>
              </li>`,
            )}
          </ul>`
    }
  </div>`;
}
