/** A widget in the thread or in a card: its parts, drawn by the catalogue, and what was pressed in it. */

import { html, nothing, type TemplateResult } from "lit";
import type { WidgetItem, WidgetNode } from "../../core/wire.ts";
import { type Acting, headingLevel, type Scope } from "../thread/scope.ts";
import { type ActionConfig, isPossible, runAction } from "./actions.ts";
import { type ButtonFace, renderWidget, type WidgetScope } from "./catalogue.ts";
import { shownText, textOf, widgetText } from "./tree.ts";

/** The item. What the catalogue cannot draw is told in the words that the server gave for copying. */
export function widgetItem(scope: Scope, item: WidgetItem, streaming: boolean): TemplateResult {
  const waits = actingIn(scope, item).some(({ loading }) => loading === "container");
  const drawn = widgetText(item.widget) !== "" || !textOf(item.copy_text);
  return html`<article class="message" part="message message-assistant" aria-busy=${streaming || waits ? "true" : nothing}>
    <div class="ck-hidden" role="heading" aria-level=${headingLevel(scope.context)}>${scope.context.words.t("message.assistant")}</div>
    <div class=${waits ? "widget widget-waits" : "widget"} part="widget">
      ${
        drawn
          ? renderWidget(
              item.widget,
              widgetScope(scope, item.id, (face, action, path) => actionButton(scope, item, face, action, path)),
            )
          : html`<div class="widget-text widget-copy" dir="auto">${shownText(item.copy_text)}</div>`
      }
    </div>
  </article>`;
}

/** A widget that only shows something. */
export function widgetPreview(scope: Scope, node: WidgetNode): TemplateResult | typeof nothing {
  return renderWidget(
    node,
    widgetScope(scope, "preview", () => nothing),
  );
}

function widgetScope(scope: Scope, key: string, button: WidgetScope["button"]): WidgetScope {
  return {
    path: key,
    form: null,
    button,
    prose: (path, text, streaming) => scope.prose.render(path, text, { streaming }),
  };
}

/** Disabled by `aria-disabled`, so that the focus stays where it is while the action is under way. */
function actionButton(
  scope: Scope,
  item: WidgetItem,
  face: ButtonFace,
  action: ActionConfig,
  path: string,
): TemplateResult {
  const { context } = scope;
  const isActing = (): boolean => actingIn(scope, item).some((a) => a.path === path && a.loading !== "none");
  const isOff = (): boolean =>
    face.disabled === true ||
    isActing() ||
    actingIn(scope, item).some(({ loading }) => loading === "container") ||
    !isPossible(action, context.conversation.busy);
  return html`<button
    type="button"
    class=${isActing() && action.loading === "self" ? `${face.className} widget-acting` : face.className}
    aria-disabled=${isOff() ? "true" : nothing}
    aria-busy=${isActing() ? "true" : nothing}
    @click=${async () => {
      // Asked again: the second press may come before the first is drawn.
      if (isOff()) return;
      const acting = { path, loading: action.loading };
      scope.setMark(item.id, { acting: [...actingIn(scope, item), acting] });
      await runAction(context, item, action);
      scope.setMark(item.id, { acting: actingIn(scope, item).filter((other) => other !== acting) });
    }}
  >${face.content ?? face.label}</button>`;
}

function actingIn(scope: Scope, { id }: WidgetItem): readonly Acting[] {
  return scope.mark(id)?.acting ?? [];
}
