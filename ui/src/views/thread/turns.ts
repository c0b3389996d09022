/** A thread as turns: what the reader said, and everything that answers it. */

import type { Entry, Transcript } from "../../core/transcript.ts";
import type { ThreadItem, UserMessageItem } from "../../core/wire.ts";
import { textOf, widgetText } from "../widgets/tree.ts";

export interface Turn {
  /** The id of the user message, or of the first entry where that message is on an older page. */
  readonly key: string;
  readonly message: UserMessageItem | null;
  readonly answer: readonly Entry[];
}

/** Oldest first. What a retry is about to replace is left out, and so is what has no place on the screen. */
export function turnsOf({ entries, retryFrom }: Pick<Transcript, "entries" | "retryFrom">): Turn[] {
  const turns: { key: string; message: UserMessageItem | null; answer: Entry[] }[] = [];
  for (const entry of entries) {
    if (entry.type === "user_message") turns.push({ key: entry.id, message: entry, answer: [] });
    else if (isShown(entry)) {
      const turn = turns.at(-1);
      if (turn) turn.answer.push(entry);
      else turns.push({ key: entry.id, message: null, answer: [entry] });
    }
    if (entry.id === retryFrom) break;
  }
  return turns;
}

function isShown(entry: Entry): boolean {
  return entry.type !== "client_tool_call" && !(entry.type === "structured_input" && entry.status === "pending");
}

const ANSWERS: ReadonlySet<string> = new Set<ThreadItem["type"]>([
  "assistant_message",
  "widget",
  "generated_image",
  "task",
  "workflow",
]);

/** What feedback on the turn is about. */
export function answerIds(turn: Turn): string[] {
  return turn.answer.filter(({ type }) => ANSWERS.has(type)).map(({ id }) => id);
}

/** The answer's text as it was written, and its widgets as text; "" when it has neither. */
export function copyText(turn: Turn): string {
  return turn.answer
    .flatMap((entry) => {
      if (entry.type === "assistant_message") return entry.content.map(({ text }) => text);
      if (entry.type !== "widget") return [];
      return [entry.copy_text == null ? widgetText(entry.widget) : textOf(entry.copy_text)];
    })
    .map((text) => text.trim())
    .filter((text) => text !== "")
    .join("\n\n");
}
