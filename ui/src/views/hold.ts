/** What is there instead of a chat as long as the page has not said which server to talk to. */

import { html, type TemplateResult } from "lit";
import type { Words } from "../locales/words.ts";
import { icon } from "./icon.ts";

export function hold(words: Words): TemplateResult {
  return html`<div class="hold">
    ${icon("settings-cog")}
    <p>${words.t("error.notConfigured")}</p>
  </div>`;
}
