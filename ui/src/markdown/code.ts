/** Blocks of code: the language, a button that copies, and colours once the code is whole. */

import { html, type TemplateResult } from "lit";
import { guard } from "lit/directives/guard.js";
import type { highlight } from "../lazy/code.ts";
import { copyToClipboard } from "../views/clipboard.ts";
import { icon } from "../views/icon.ts";
import type { Scene } from "./scene.ts";
import type { Code } from "./tokens.ts";
import { visible } from "./visible.ts";

const MAX_COLOURED = 50_000;
const MAX_LANGUAGE = 24;

export function codeBlock({ text, lang, open }: Code, { host, words }: Scene): TemplateResult {
  const code = visible(text).replace(/\n$/, "");
  const language = visible(/^[^\s{,:]+/.exec(lang ?? "")?.[0] ?? "").slice(0, MAX_LANGUAGE);
  const label = language ? words.t("code.labelLanguage", { language }) : words.t("code.label");
  const colours = open || !language || code.length > MAX_COLOURED ? undefined : host.chunks.need("code", host);
  // White space within pre is shown, so the template has none there.
  return html`<div class="md-code" dir="ltr">
    <div class="md-code-head">
      <span class="md-code-language">${language}</span>
      <button type="button" class="md-copy" aria-label=${words.t("code.copy")} title=${words.t("code.copy")}
        @click=${(event: Event) => void copy(event.currentTarget as HTMLElement, code, host)}
      >${icon("copy")}${icon("check")}</button>
    </div>
    <pre class="md-scroller" tabindex="0" role="group" aria-label=${label}><code>${guard(
      [code, language, colours],
      () => coloured(colours?.highlight(code, language) ?? null) ?? code,
    )}</code></pre>
  </div>`;
}

function coloured(tokens: ReturnType<typeof highlight>): DocumentFragment | null {
  if (!tokens) return null;
  const fragment = document.createDocumentFragment();
  for (const { text, kind } of tokens) {
    if (kind === null) {
      fragment.append(text);
      continue;
    }
    const span = document.createElement("span");
    span.className = `md-${kind}`;
    span.textContent = text;
    fragment.append(span);
  }
  return fragment;
}

const SHOWN_MS = 2_000;

async function copy(button: HTMLElement, code: string, host: Scene["host"]): Promise<void> {
  const copied = await copyToClipboard(code, button.getRootNode() as ShadowRoot);
  host.announce(host.words.t(copied ? "message.copied" : "message.copyFailed"), !copied);
  if (!copied) return;
  button.dataset.copied = "";
  setTimeout(() => delete button.dataset.copied, SHOWN_MS);
}
