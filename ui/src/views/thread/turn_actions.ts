/** What a reader can do with a finished answer: copy it, judge it, ask for another. */

import { html, nothing, type TemplateResult } from "lit";
import { copyToClipboard } from "../clipboard.ts";
import type { Context } from "../context.ts";
import { icon } from "../icon.ts";
import { again, type Scope } from "./scope.ts";
import { answerIds, copyText, type Turn } from "./turns.ts";

type Verdict = "positive" | "negative";

const COPIED_MS = 2_000;

/** A retry takes away what came after, so only the last turn has one. */
export function turnActions(scope: Scope, turn: Turn, isLast: boolean): TemplateResult | typeof nothing {
  const { context } = scope;
  const { feedback, retry } = context.options.threadItemActions ?? {};
  const ids = answerIds(turn);
  const { message } = turn;
  const buttons = [
    copyText(turn) !== "" ? copyButton(scope, turn) : nothing,
    ...(feedback && ids.length > 0 ? (["positive", "negative"] as const).map((kind) => thumb(context, ids, kind)) : []),
    retry && message && isLast
      ? button("reload", context.words.t("message.retry"), "message-retry", () => again(context, message.id))
      : nothing,
  ].filter((each) => each !== nothing);
  if (buttons.length === 0) return nothing;
  return html`<div class="message-actions" part="message-actions" role="group" aria-label=${context.words.t("message.actions")}>
    ${buttons}
  </div>`;
}

function button(face: string, label: string, part: string, press: () => void, pressed?: boolean): TemplateResult {
  return html`<button
    type="button"
    class="message-action"
    part=${part}
    aria-label=${label}
    title=${label}
    aria-pressed=${pressed === undefined ? nothing : String(pressed)}
    @click=${press}
  >${icon(face)}</button>`;
}

function copyButton(scope: Scope, turn: Turn): TemplateResult {
  const { context } = scope;
  const { words } = context;
  const copied = scope.mark(turn.key)?.copied === true;
  return button(copied ? "check" : "copy", words.t("message.copy"), "message-copy", async () => {
    if (!(await copyToClipboard(copyText(turn), context.root)))
      return context.toast(words.t("message.copyFailed"), "error");
    context.announce(words.t("message.copied"));
    scope.setMark(turn.key, { copied: true });
    setTimeout(() => scope.setMark(turn.key, { copied: false }), COPIED_MS);
  });
}

function thumb(context: Context, ids: readonly string[], kind: Verdict): TemplateResult {
  const { words, conversation } = context;
  const label = words.t(kind === "positive" ? "message.good" : "message.bad");
  const pressed = verdictOf(context, ids) === kind;
  return button(kind === "positive" ? "thumbs-up" : "thumbs-down", label, "message-feedback", () => rate(), pressed);

  async function rate(): Promise<void> {
    if (verdictOf(context, ids) === kind) return;
    context.log("message.feedback", { kind });
    await conversation.rate(ids, kind);
    if (verdictOf(context, ids) === kind) context.announce(words.t("message.feedbackSent"));
    else context.toast(words.t("message.feedbackFailed"), "error");
  }
}

/** The verdict on the whole of it; undefined while there is none. */
function verdictOf({ conversation }: Context, ids: readonly string[]): Verdict | undefined {
  const { feedback } = conversation.state;
  const verdict = feedback.get(ids[0] ?? "");
  return ids.every((id) => feedback.get(id) === verdict) ? verdict : undefined;
}
