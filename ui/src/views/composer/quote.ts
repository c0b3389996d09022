/** What the message answers to. */

import { html, type TemplateResult } from "lit";
import type { Context } from "../context.ts";
import { icon } from "../icon.ts";

export function quote({ words }: Context, text: string, remove: () => void): TemplateResult {
  return html`<div class="composer-quote">
    ${icon("quote")}
    <blockquote class="composer-quote-text" aria-label=${words.t("composer.quote")} dir="auto">${text}</blockquote>
    <button
      type="button"
      class="composer-file-button"
      aria-label=${words.t("composer.removeQuote")}
      title=${words.t("composer.removeQuote")}
      @click=${remove}
    >${icon("close")}</button>
  </div>`;
}
