/** Notices and errors between the messages. */

import { html, nothing, type TemplateResult } from "lit";
import type { LocalEntry } from "../../core/transcript.ts";
import { icon } from "../icon.ts";
import { errorText } from "./error_text.ts";
import { again, type Scope } from "./scope.ts";

type Notice = LocalEntry & { type: "notice" };
type Failure = LocalEntry & { type: "error" };

const FACES = { info: "info", warning: "warning", danger: "warning" } as const;

export function noticeBanner(scope: Scope, { id, level, title, message }: Notice): TemplateResult {
  const { words } = scope.context;
  const kind = Object.hasOwn(FACES, level) ? level : "info";
  return html`<div class=${`banner banner-${kind}`} part="notice" role=${kind === "danger" ? "alert" : "status"}>
    ${icon(FACES[kind])}
    <div class="banner-body banner-text" dir="auto">
      <div class=${title ? "banner-title" : "ck-hidden"}>${title ? scope.prose.plain(title) : words.t(`notice.${kind}`)}</div>
      ${scope.prose.render(id, message, {})}
    </div>
    ${dismissButton(scope, id)}
  </div>`;
}

export function errorBanner(scope: Scope, entry: Failure): TemplateResult {
  const { words } = scope.context;
  return html`<div class="banner banner-danger" part="error" role="alert">
    ${icon("warning")}
    <div class="banner-body">
      <div class="banner-text" dir="auto">${errorText(words, entry)}</div>
      ${
        entry.retry
          ? html`<button type="button" class="banner-retry" part="error-retry" @click=${() => again(scope.context)}>
            ${icon("reload")}${words.t("error.retry")}
          </button>`
          : nothing
      }
    </div>
    ${dismissButton(scope, entry.id)}
  </div>`;
}

function dismissButton({ context }: Scope, id: string): TemplateResult {
  const label = context.words.t("error.dismiss");
  return html`<button
    type="button"
    class="banner-dismiss"
    aria-label=${label}
    title=${label}
    @click=${() => context.conversation.dismiss(id)}
  >${icon("close")}</button>`;
}
