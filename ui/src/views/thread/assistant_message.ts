/** A text of the assistant, growing or whole, with the sources that it cites. */

import { html, nothing, type TemplateResult } from "lit";
import type { AssistantMessageItem } from "../../core/wire.ts";
import { citationsOf } from "./citations.ts";
import { headingLevel, type Scope } from "./scope.ts";
import { marker, sourceList } from "./sources.ts";

export function assistantMessage(scope: Scope, item: AssistantMessageItem, streaming: boolean): TemplateResult {
  const { sources, parts } = citationsOf(item.content);
  return html`<article
    class="message message-assistant"
    part="message message-assistant"
    aria-busy=${streaming ? "true" : nothing}
  >
    <div class="ck-hidden" role="heading" aria-level=${headingLevel(scope.context)}>
      ${scope.context.words.t("message.assistant")}
    </div>
    ${item.content.map(
      ({ text }, n) => html`<div class="message-text" part="message-text" dir="auto">
        ${scope.prose.render(`${item.id}/${n}`, text, {
          streaming,
          markers: parts[n]!.map((citation) => ({ index: citation.index, content: marker(scope, citation) })),
        })}
      </div>`,
    )}
    ${sources.length > 0 ? sourceList(scope, sources) : nothing}
  </article>`;
}
