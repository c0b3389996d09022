/** Questions that have to be answered first: modal, Esc and a click beside it say no, the focus goes back. */

import { html, nothing, render, type TemplateResult } from "lit";
import type { Context } from "./context.ts";

interface Question {
  title: string;
  text?: string;
  /** The button that says yes. */
  action: string;
  danger?: boolean;
}

/** Whether the reader said yes. */
export async function confirm(context: Context, question: Question): Promise<boolean> {
  return (await ask(context, question)) !== null;
}

/** What the reader wrote, without spaces around it; null when it is empty or the reader said no. */
export async function prompt(
  context: Context,
  question: Question & { label: string; value: string; maxLength: number },
): Promise<string | null> {
  const field = html`<label class="dialog-label" for="dialog-field">${question.label}</label>
    <input
      id="dialog-field"
      class="ck-field"
      name="value"
      autocomplete="off"
      autofocus
      required
      maxlength=${question.maxLength}
      .value=${question.value}
      @focus=${(event: FocusEvent) => (event.target as HTMLInputElement).select()}
    />`;
  return (await ask(context, question, field))?.trim() || null;
}

/** Whether to open a link that may not lead where it seems to; shows the host that it really leads to. */
export function confirmLink(context: Context, url: string): Promise<boolean> {
  const { words } = context;
  const host = new URL(url, document.baseURI).host;
  return confirm(context, { title: words.t("link.suspicious", { host }), text: url, action: words.t("link.open") });
}

/** What was written (empty without a field), or null for no. */
function ask({ root, words }: Context, question: Question, field?: TemplateResult): Promise<string | null> {
  const dialog = document.createElement("dialog");
  const opener = root.activeElement;
  let answer: string | null = null;
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    answer = String(new FormData(event.target as HTMLFormElement).get("value") ?? "");
    dialog.close();
  };
  dialog.className = "dialog";
  dialog.part.add("dialog");
  dialog.setAttribute("aria-labelledby", "dialog-title");
  if (question.text) dialog.setAttribute("aria-describedby", "dialog-text");
  dialog.setAttribute("closedby", "any");
  render(
    html`<form class="dialog-form" @submit=${submit}>
      <h2 class="dialog-title" id="dialog-title">${question.title}</h2>
      ${question.text ? html`<p class="dialog-text" id="dialog-text">${question.text}</p>` : nothing} ${field ?? nothing}
      <div class="dialog-actions">
        <button type="button" class="ck-button" ?autofocus=${!field} @click=${() => dialog.close()}>${words.t("dialog.cancel")}</button>
        <button class="ck-button ${question.danger ? "ck-button-danger" : "ck-button-primary"}">${question.action}</button>
      </div>
    </form>`,
    dialog,
  );
  root.querySelector(".ck")?.append(dialog);
  // An Esc that closes the dialog is not for the page or for what lies below.
  dialog.addEventListener("keydown", (event) => event.key === "Escape" && event.stopPropagation());
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
      resolve(answer);
    });
  });
}
