/** The bar on top: the page's own buttons, the history, the thread's title, a new chat. */

import { html, nothing, type TemplateResult } from "lit";
import { visible } from "../markdown/visible.ts";
import type { Context } from "./context.ts";
import { icon } from "./icon.ts";

export function header(context: Context, actions: { history(): void; newChat(): void }): TemplateResult {
  const { options, conversation, words } = context;
  const { leftAction, rightAction } = options.header ?? {};
  const { threadId } = conversation.state;
  return html`<div class="header" part="header">
    ${action(context, "leftAction", leftAction)}
    ${
      options.history?.enabled === false
        ? nothing
        : iconButton("history", words.t("header.history"), actions.history, "history-button")
    }
    ${title(context)} ${threadId === null ? nothing : iconButton("compose", words.t("header.new"), actions.newChat, "new-button")}
    ${action(context, "rightAction", rightAction)}
  </div>`;
}

/** The region's heading; where no title is to be seen it is there for screen readers. */
function title({ options, conversation, words }: Context): TemplateResult {
  const { enabled = true, text } = options.header?.title ?? {};
  const { thread } = conversation.state;
  const named = text ?? (thread ? visible(thread.title ?? "") || words.t("thread.untitled") : "");
  const shown = enabled && named !== "";
  return html`<div class="header-title" part="header-title">
    <div class=${shown ? "header-text" : "ck-hidden"} role="heading" aria-level=${options.headingLevel ?? 2} dir="auto">
      ${named || options.frameTitle || words.t("app.name")}
    </div>
  </div>`;
}

function action(
  { callPage }: Context,
  side: "leftAction" | "rightAction",
  given: { icon: string; onClick: () => void } | undefined,
): TemplateResult | typeof nothing {
  if (!given) return nothing;
  return iconButton(
    given.icon,
    iconLabel(given.icon),
    () => void callPage(`header.${side}.onClick`, given.onClick),
    `${side}-button`,
  );
}

function iconButton(name: string, label: string, click: () => void, id: string): TemplateResult {
  return html`<button type="button" id=${id} class="ck-icon-button" part="header-button" aria-label=${label} title=${label} @click=${click}>
    ${icon(name)}
  </button>`;
}

/** The only words that there are for a page's own button: `settings-cog` is "Settings cog". */
export function iconLabel(name: string): string {
  const words = name
    .replace(/^lucide:/, "")
    .replace(/-(alt|large|small|filled|circle|inverted|horizontal|vertical)\b/g, "");
  const text = words.replaceAll("-", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
