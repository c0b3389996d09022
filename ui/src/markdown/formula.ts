/** Formulas: as they are written until KaTeX is there, and where it cannot read them. */

import { html, type TemplateResult } from "lit";
import { guard } from "lit/directives/guard.js";
import type { Scene } from "./scene.ts";
import type { Formula } from "./tokens.ts";
import { visible } from "./visible.ts";

export function formula({ text, display, open }: Formula, { host, words }: Scene): TemplateResult {
  const source = visible(text);
  const math = open ? undefined : host.chunks.need("math", host);
  const content = guard(
    [source, math],
    () => math?.formula(source, display) ?? html`<code class="md-codespan">${source}</code>`,
  );
  return display
    ? html`<span class="md-formula md-scroller" role="group" tabindex="0" aria-label=${words.t("math.label")}>${content}</span>`
    : html`<span class="md-math">${content}</span>`;
}
