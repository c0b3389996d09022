/** The page's small print below the composer. */

import { html, nothing, type TemplateResult } from "lit";
import type { Context } from "./context.ts";
import type { Prose } from "./thread/prose.ts";

export function disclaimer({ options }: Context, prose: Prose): TemplateResult | typeof nothing {
  const given = options.disclaimer;
  if (!given) return nothing;
  const kind = given.highContrast ? "disclaimer disclaimer-strong" : "disclaimer";
  return html`<div class=${kind} part="disclaimer" dir="auto">${prose.line(given.text)}</div>`;
}
