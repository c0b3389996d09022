/** What a workflow and its tasks are called, in the reader's language. */

import type { Task, Workflow } from "../../core/wire.ts";
import type { Words } from "../../locales/words.ts";
import { objectOf, textOf } from "../widgets/tree.ts";

/** What the workflow's line says: what it did, or what it is doing. */
export function workflowTitle(words: Words, { type, tasks, summary }: Workflow, running: boolean): string {
  const { title, duration } = objectOf(summary);
  if (textOf(title)) return textOf(title);
  if (running) {
    const now = tasks.findLast(({ status_indicator }) => status_indicator === "loading") ?? tasks.at(-1);
    return textOf(now?.title) || words.t(type === "reasoning" ? "answer.thinking" : "answer.working");
  }
  if (typeof duration === "number") {
    return words.t("answer.thoughtFor", { duration: words.duration(Math.max(1, Math.round(duration))) });
  }
  return words.t(type === "reasoning" ? "answer.thought" : "answer.worked");
}

/** The task's title, or what tasks of its type do; "" for a thought or a custom task without one. */
export function taskTitle(words: Words, task: Task): string {
  if (textOf(task.title)) return textOf(task.title);
  const loading = task.status_indicator === "loading";
  switch (task.type) {
    case "web_search":
      return textOf(task.title_query) || words.t(loading ? "answer.searching" : "answer.searched");
    case "file":
      return words.t("answer.files");
    case "image":
      return words.t(loading ? "answer.imageLoading" : "answer.image");
    default:
      return "";
  }
}

const ICONS: Readonly<Record<Task["type"], string>> = {
  custom: "dot",
  web_search: "search",
  thought: "lightbulb",
  file: "document",
  image: "image",
};

export function taskIcon(task: Task): string {
  return (task.type === "custom" && textOf(task.icon)) || (Object.hasOwn(ICONS, task.type) ? ICONS[task.type] : "dot");
}
