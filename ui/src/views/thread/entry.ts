/** From an entry's type to its view. */

import { nothing, type TemplateResult } from "lit";
import type { Entry } from "../../core/transcript.ts";
import { answeredInput } from "../structured_input.ts";
import { widgetItem } from "../widgets/widget.ts";
import { assistantMessage } from "./assistant_message.ts";
import { errorBanner, noticeBanner } from "./banner.ts";
import { generatedImage } from "./generated_image.ts";
import type { Scope } from "./scope.ts";
import { userMessage } from "./user_message.ts";
import { taskItem, workflow } from "./workflow.ts";

/** `writing` while the item is not whole yet. */
export function entryView(scope: Scope, entry: Entry, writing: boolean): TemplateResult | typeof nothing {
  switch (entry.type) {
    case "user_message":
      return userMessage(scope, entry);
    case "assistant_message":
      return assistantMessage(scope, entry, writing);
    case "widget":
      return widgetItem(scope, entry, writing);
    case "workflow":
      return workflow(scope, entry, writing);
    case "task":
      return taskItem(scope, entry, writing);
    case "generated_image":
      return generatedImage(scope, entry, writing);
    case "structured_input":
      return answeredInput(scope.context, entry);
    case "notice":
      return noticeBanner(scope, entry);
    case "error":
      return errorBanner(scope, entry);
    default:
      return nothing;
  }
}
