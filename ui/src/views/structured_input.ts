/** Questions that the assistant asked: whether some wait for an answer, and what became of the others. */

import { html, type TemplateResult } from "lit";
import type { Entry } from "../core/transcript.ts";
import type { StructuredInput, StructuredInputItem } from "../core/wire.ts";
import type { Context } from "./context.ts";
import { icon } from "./icon.ts";

/** The questions that wait for an answer: the last ones, unless the reader has written something since. */
export function pendingInput(entries: readonly Entry[]): StructuredInputItem | null {
  for (const entry of entries.toReversed()) {
    if (entry.type === "user_message") return null;
    if (entry.type === "structured_input")
      return entry.status === "pending" && inputsOf(entry).length > 0 ? entry : null;
  }
  return null;
}

/** The questions with their answers, or "Skipped". */
export function answeredInput(context: Context, item: StructuredInputItem): TemplateResult {
  const skipped = context.words.t("input.skipped");
  return html`<dl class="input-answers">
    ${inputsOf(item).map((input) => {
      const values = item.status === "skipped" || input.answer?.skipped ? [] : (input.answer?.values ?? []);
      return html`<div class="input-answered">
        <dt dir="auto">${input.question}</dt>
        ${
          values.length > 0
            ? values.map((value) => html`<dd dir="auto">${value}</dd>`)
            : html`<dd class="input-skipped">${icon("close")}${skipped}</dd>`
        }
      </div>`;
    })}
  </dl>`;
}

/** The questions that this client knows how to ask. */
export function inputsOf(item: StructuredInputItem): readonly StructuredInput[] {
  const inputs: readonly StructuredInput[] = Array.isArray(item.inputs) ? item.inputs : [];
  return inputs.filter((input) => input?.type === "multiple_choice" || input?.type === "freeform");
}
