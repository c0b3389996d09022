/** What a widget asks for when something in it is pressed. */

import type { Action, WidgetItem } from "../../core/wire.ts";
import type { Context } from "../context.ts";
import { objectOf, textOf } from "./tree.ts";

export interface ActionConfig {
  action: Action;
  /** Who takes it: the page (`widgets.onAction`) or the server. */
  handler: "client" | "server";
  /** What waits until it is done: nothing, what was pressed, or the whole widget. */
  loading: "none" | "self" | "container";
  /** Whether the server answers with a turn. */
  streaming: boolean;
}

/** An `ActionConfig` as widgets carry it; null for what is none. `auto` is what `loadingBehavior` means by default. */
export function readAction(value: unknown, auto: ActionConfig["loading"] = "self"): ActionConfig | null {
  const { type, payload, handler, loadingBehavior, streaming } = objectOf(value);
  if (!textOf(type)) return null;
  return {
    action: { type: textOf(type), ...(payload != null && { payload }) },
    handler: handler === "client" ? "client" : "server",
    loading:
      loadingBehavior === "none" || loadingBehavior === "self" || loadingBehavior === "container"
        ? loadingBehavior
        : auto,
    streaming: streaming !== false,
  };
}

/** Whether it can be taken now: while a turn runs or a thread loads, an action that begins a turn cannot. */
export function isPossible({ handler, streaming }: ActionConfig, busy: boolean): boolean {
  return handler === "client" || !streaming || !busy;
}

/** Resolves when the page or the server is done with it. What goes wrong is told where such things are told. */
export async function runAction(
  context: Context,
  item: WidgetItem,
  { action, handler, streaming }: ActionConfig,
): Promise<void> {
  if (handler === "client") {
    const onAction = context.options.widgets?.onAction;
    if (!onAction) return context.log("widgets.unhandledAction", { type: action.type });
    type Taken = Parameters<typeof onAction>;
    await context.callPage("widgets.onAction", () =>
      onAction(action as Taken[0], { id: item.id, widget: item.widget as unknown as Taken[1]["widget"] }),
    );
    return;
  }
  try {
    await context.conversation.act(action, { itemId: item.id, streaming });
  } catch (error) {
    context.error(error instanceof Error ? error : new Error(String(error)));
  }
}
