/** Questions as a form: one at a time, so that it stays as small as the composer, in whose place it is. */

import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import type { StructuredInput, StructuredInputItem, StructuredInputSubmission } from "../core/wire.ts";
import type { Context } from "./context.ts";
import { inputsOf } from "./structured_input.ts";

/** What the reader has chosen or written for one question. */
export interface Answer {
  /** Options, in the order in which they were chosen. */
  chosen: readonly string[];
  /** Their own words; of a question with one answer either these count or an option does. */
  own: string;
  skipped: boolean;
}

export const NO_ANSWER: Answer = { chosen: [], own: "", skipped: false };

/** What an answer sends. */
export function valuesOf(input: StructuredInput, { chosen, own }: Answer): string[] {
  const values = [...chosen, ...(own.trim() ? [own.trim()] : [])];
  return input.type === "multiple_choice" && input.multiple ? values : values.slice(-1);
}

/** All answers as they are sent; questions without one are skipped, and all of them make the whole skipped. */
export function submissionOf(
  item: StructuredInputItem,
  answers: ReadonlyMap<string, Answer>,
): StructuredInputSubmission {
  const sent: StructuredInputSubmission["answers"] = {};
  for (const input of inputsOf(item)) {
    const answer = answers.get(input.id) ?? NO_ANSWER;
    const values = answer.skipped ? [] : valuesOf(input, answer);
    sent[input.id] = { values, skipped: values.length === 0 };
  }
  const skipped = Object.values(sent).every((answer) => answer.skipped);
  return { status: skipped ? "skipped" : "answered", answers: sent };
}

export class StructuredInputForm {
  #answers = new Map<string, Answer>();
  #index = 0;
  /** The question was left without an answer. */
  #missing = false;
  #focusWhenShown = false;

  constructor(
    private readonly context: Context,
    readonly item: StructuredInputItem,
  ) {}

  /** Gives the question the focus: what was answered, else its first field. */
  focus(): void {
    const form = this.context.root.querySelector(".input-form");
    const fields = "input[type=radio], input[type=checkbox], textarea";
    const field = form?.querySelector<HTMLElement>("input:checked") ?? form?.querySelector<HTMLElement>(fields);
    field?.focus();
  }

  /** Takes over the focus from a reader who may be typing: no field, lest that becomes an answer. */
  receiveFocus(): void {
    this.context.root.querySelector<HTMLElement>(".input-question")?.focus();
  }

  render(): TemplateResult {
    const { words } = this.context;
    const inputs = inputsOf(this.item);
    const input = inputs[this.#index] as StructuredInput;
    const last = this.#index === inputs.length - 1;
    if (this.#focusWhenShown) queueMicrotask(() => this.focus());
    this.#focusWhenShown = false;
    return html`<form class="input-form" part="structured-input" novalidate @submit=${(event: Event) => this.#next(event)}>
      <fieldset class="input-question" tabindex="-1" aria-describedby=${this.#missing ? "input-missing" : nothing}>
        <legend class="input-legend">
          ${
            inputs.length > 1
              ? html`<span class="input-progress">${words.t("input.progress", { number: this.#index + 1, count: inputs.length })}</span>`
              : nothing
          }
          <span dir="auto">${input.question}</span>
        </legend>
        ${input.type === "multiple_choice" ? this.#choices(input) : this.#freeform(input)}
      </fieldset>
      ${this.#missing ? html`<p id="input-missing" class="input-missing" role="alert">${words.t("input.required")}</p>` : nothing}
      <div class="input-actions">
        ${
          this.#index > 0
            ? html`<button type="button" class="input-button" @click=${() => this.#go(-1)}>${words.t("input.back")}</button>`
            : nothing
        }
        <span class="input-gap"></span>
        ${
          inputs.length > 1
            ? html`<button type="button" class="input-button" @click=${() => this.#skipAll()}>${words.t("input.skipAll")}</button>`
            : nothing
        }
        <button
          type="button"
          class="input-button"
          aria-label="${words.t("input.skip")}: ${input.question}"
          @click=${() => this.#skip()}
        >${words.t("input.skip")}</button>
        <button type="submit" class="input-button input-submit">${words.t(last ? "input.submit" : "input.next")}</button>
      </div>
    </form>`;
  }

  #choices(input: StructuredInput & { type: "multiple_choice" }): TemplateResult {
    const { words } = this.context;
    const answer = this.#answer(input);
    const type = input.multiple ? "checkbox" : "radio";
    const choose = (chosen: string, checked: boolean) => {
      if (!input.multiple) this.#change(input, { chosen: [chosen], own: "" });
      else
        this.#change(input, {
          chosen: [...this.#answer(input).chosen.filter((each) => each !== chosen), ...(checked ? [chosen] : [])],
        });
    };
    const write = (own: string) => this.#change(input, input.multiple ? { own } : { own, chosen: [] });
    return html`<div class="input-options">
      ${optionsOf(input).map(
        (value) => html`<label class="input-option">
          <input
            type=${type}
            name="input-${input.id}"
            .checked=${live(answer.chosen.includes(value))}
            @change=${(event: Event) => choose(value, (event.target as HTMLInputElement).checked)}
          />
          <span dir="auto">${value}</span>
        </label>`,
      )}
      <label class="input-option input-own">
        <span class="input-own-label">${words.t("input.other")}</span>
        <input
          type="text"
          class="input-text"
          dir=${answer.own ? "auto" : nothing}
          autocomplete="off"
          placeholder=${words.t("input.otherPlaceholder")}
          .value=${live(answer.own)}
          @input=${(event: Event) => write((event.target as HTMLInputElement).value)}
        />
      </label>
    </div>`;
  }

  #freeform(input: StructuredInput & { type: "freeform" }): TemplateResult {
    return html`${input.description ? html`<p id="input-description" class="input-description" dir="auto">${input.description}</p>` : nothing}
      <textarea
        class="input-text"
        rows="3"
        dir=${this.#answer(input).own ? "auto" : nothing}
        aria-label=${input.question}
        aria-describedby=${input.description ? "input-description" : nothing}
        placeholder=${this.context.words.t("input.answerPlaceholder")}
        .value=${live(this.#answer(input).own)}
        @input=${(event: Event) => this.#change(input, { own: (event.target as HTMLTextAreaElement).value })}
        @keydown=${(event: KeyboardEvent) => {
          if (event.key === "Enter" && (event.metaKey || event.ctrlKey) && !event.isComposing) this.#next(event);
        }}
      ></textarea>`;
  }

  #answer(input: StructuredInput): Answer {
    return this.#answers.get(input.id) ?? NO_ANSWER;
  }

  #change(input: StructuredInput, change: Partial<Answer>): void {
    this.#answers.set(input.id, { ...this.#answer(input), skipped: false, ...change });
    this.#missing = false;
    this.context.update();
  }

  #next(event: Event): void {
    event.preventDefault();
    const input = inputsOf(this.item)[this.#index] as StructuredInput;
    this.#missing = valuesOf(input, this.#answer(input)).length === 0;
    if (this.#missing) {
      this.#focusWhenShown = true;
      this.context.update();
    } else {
      this.#go(1);
    }
  }

  #skip(): void {
    const input = inputsOf(this.item)[this.#index] as StructuredInput;
    this.#answers.set(input.id, { ...this.#answer(input), skipped: true });
    this.#go(1);
  }

  #skipAll(): void {
    this.#send(submissionOf(this.item, new Map()));
  }

  /** To another question, or past the last: then everything is sent. */
  #go(by: 1 | -1): void {
    this.#missing = false;
    if (this.#index + by === inputsOf(this.item).length) {
      this.#send(submissionOf(this.item, this.#answers));
      return;
    }
    this.#index += by;
    this.#focusWhenShown = true;
    this.context.update();
  }

  #send(submission: StructuredInputSubmission): void {
    const { context, item } = this;
    if (context.conversation.busy) return;
    context.conversation.answerInput(item.id, submission).catch((error) => context.error(error));
  }
}

function optionsOf(input: StructuredInput & { type: "multiple_choice" }): string[] {
  return (Array.isArray(input.options) ? input.options : []).flatMap((option) =>
    typeof option?.value === "string" ? [option.value] : [],
  );
}
