/** What the reader said: plain text with tags, the files that went along, and what it replies to. */

import { html, nothing, type TemplateResult } from "lit";
import { PENDING_ID } from "../../core/transcript.ts";
import type { Attachment, UserMessageContent, UserMessageItem } from "../../core/wire.ts";
import { icon } from "../icon.ts";
import { textOf } from "../widgets/tree.ts";
import { subject } from "./preview.ts";
import { clickEntity, entityOf, headingLevel, type Scope } from "./scope.ts";

export function userMessage(scope: Scope, item: UserMessageItem): TemplateResult {
  const { words } = scope.context;
  const pending = item.id === PENDING_ID;
  return html`<article
    class=${pending ? "message message-user message-pending" : "message message-user"}
    part="message message-user"
    aria-busy=${pending ? "true" : nothing}
  >
    <div class="ck-hidden" role="heading" aria-level=${headingLevel(scope.context)}>${words.t("message.you")}</div>
    ${textOf(item.quoted_text) ? quote(scope, textOf(item.quoted_text)) : nothing}
    ${item.attachments?.length ? attachments(scope, item.attachments) : nothing}
    ${
      item.content.some(({ text }) => text !== "")
        ? html`<div class="message-bubble"><div dir="auto">${item.content.map((part) => content(scope, part))}</div></div>`
        : nothing
    }
    ${pending ? html`<div class="message-sending">${words.t("message.sending")}</div>` : nothing}
  </article>`;
}

function quote({ context }: Scope, text: string): TemplateResult {
  return html`<blockquote class="message-quote" dir="auto">
    ${icon("reply")}<span class="ck-hidden">${context.words.t("message.quote")}: </span
    ><span class="message-quoted">${text}</span>
  </blockquote>`;
}

function content(scope: Scope, part: UserMessageContent): TemplateResult | string {
  if (part.type !== "input_tag") return part.text;
  if (!part.interactive) return html`<span class="message-tag">${part.text}</span>`;
  const entity = entityOf(part);
  return html`<button
    type="button"
    class="message-tag message-tag-active"
    ${subject(scope.preview, { title: part.text, entity })}
    @click=${() => clickEntity(scope.context, entity)}
  >${part.text}</button>`;
}

function attachments({ context }: Scope, files: readonly Attachment[]): TemplateResult {
  return html`<ul class="message-attachments" aria-label=${context.words.t("message.attachments")}>
    ${files.map((file) => html`<li>${attachment(file)}</li>`)}
  </ul>`;
}

/**
 * A preview's URL is what the server said about the reader's own upload, or the page about a file of its own; nothing
 * that a model writes gets here. So it may be on another host, where the server keeps its files.
 */
function attachment({ type, name, preview_url }: Attachment): TemplateResult {
  if (type === "image" && isImageUrl(preview_url)) {
    return html`<img class="message-image" src=${preview_url} alt=${name} loading="lazy" referrerpolicy="no-referrer" />`;
  }
  return html`<span class="message-file">${icon(type === "image" ? "image" : "file")}<span dir="auto">${name}</span></span>`;
}

function isImageUrl(url: unknown): url is string {
  return typeof url === "string" && (/^(https?:|blob:|data:image\/)/i.test(url) || !/^[a-z][a-z0-9+.-]*:/i.test(url));
}
