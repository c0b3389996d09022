/** An image that is being made, and then is there. */

import { html, nothing, type TemplateResult } from "lit";
import type { GeneratedImageItem } from "../../core/wire.ts";
import { icon } from "../icon.ts";
import { hostOf } from "./citations.ts";
import { headingLevel, type Scope } from "./scope.ts";

export function generatedImage(
  scope: Scope,
  { id, image, progress }: GeneratedImageItem,
  running: boolean,
): TemplateResult {
  const { words } = scope.context;
  const address = image ? scope.prose.image(image.url) : null;
  const broken = address !== null && scope.mark(id)?.broken === address;
  const known = typeof progress === "number" ? Math.min(1, Math.max(0, progress)) : undefined;
  const making =
    known === undefined
      ? words.t("answer.imageLoading")
      : words.t("answer.imageProgress", { percent: words.percent(known) });
  return html`<article class="message" part="message message-assistant" aria-busy=${running ? "true" : nothing}>
    <div class="ck-hidden" role="heading" aria-level=${headingLevel(scope.context)}>${words.t("message.assistant")}</div>
    <div class=${running ? "image image-running" : address && !broken ? "image image-done" : "image"} part="generated-image">
      ${
        address && !broken
          ? html`<img
            class="image-picture"
            src=${address}
            alt=${words.t("answer.image")}
            referrerpolicy="no-referrer"
            @error=${() => scope.setMark(id, { broken: address })}
          />`
          : html`<div class="image-empty">${icon("image")}</div>`
      }
      ${running || !address || broken ? html`<div class="image-caption">${caption()}</div>` : nothing}
      ${
        running
          ? html`<progress class="image-progress" max="1" value=${known ?? nothing} aria-label=${making}></progress>`
          : nothing
      }
    </div>
  </article>`;

  function caption(): string {
    if (running) return making;
    if (image && !address) return words.t("answer.blockedImage", { host: hostOf(image.url) });
    return words.t("answer.imageFailed");
  }
}
