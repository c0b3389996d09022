/** What the assistant does on the way to its answer: a workflow that folds, and tasks, in one or alone. */

import { html, nothing, type TemplateResult } from "lit";
import type { Task, TaskItem, WorkflowItem } from "../../core/wire.ts";
import { icon } from "../icon.ts";
import { objectOf, textOf } from "../widgets/tree.ts";
import { readSource } from "./citations.ts";
import type { Scope } from "./scope.ts";
import { row } from "./sources.ts";
import { taskIcon, taskTitle, workflowTitle } from "./workflow_words.ts";

/** Open while it runs, folded when it is done unless it says `expanded`; what the reader chose stays. */
export function workflow(scope: Scope, { id, workflow }: WorkflowItem, running: boolean): TemplateResult {
  const { context, prose } = scope;
  const { tasks, summary } = workflow;
  const expanded = scope.mark(id)?.expanded ?? (running || workflow.expanded === true);
  const listId = `workflow-${id}`;
  const face = textOf(objectOf(summary).icon) || (workflow.type === "reasoning" ? "lightbulb" : "steps");
  const line = html`${icon(face)}<span class=${running ? "answer-shimmer" : nothing} dir="auto"
    >${prose.plain(workflowTitle(context.words, workflow, running))}</span
  >`;
  if (tasks.length === 0)
    return html`<div class="workflow workflow-line" aria-busy=${running ? "true" : nothing}>${line}</div>`;
  return html`<div class="workflow" part="workflow" aria-busy=${running ? "true" : nothing}>
    <button
      type="button"
      class="workflow-line workflow-toggle"
      aria-expanded=${String(expanded)}
      aria-controls=${listId}
      @click=${() => scope.setMark(id, { expanded: !expanded })}
    >${line}${icon("chevron-down")}</button>
    <ul id=${listId} class="workflow-tasks" aria-label=${context.words.t("answer.steps")} ?hidden=${!expanded}>
      ${expanded ? tasks.map((task, n) => html`<li>${taskView(scope, task, `${id}/${n}`, running)}</li>`) : nothing}
    </ul>
  </div>`;
}

export function taskItem(scope: Scope, { id, task }: TaskItem, running: boolean): TemplateResult {
  return html`<div class="workflow" part="task">${taskView(scope, task, id, running)}</div>`;
}

function taskView(scope: Scope, task: Task, key: string, running: boolean): TemplateResult {
  const { words } = scope.context;
  const title = scope.prose.plain(taskTitle(words, task));
  const loading = task.status_indicator === "loading" && running;
  const body = content(scope, task, key, running);
  return html`<div class="task">
    <span class="task-mark">${status(scope, task, loading)}</span>
    <div class="task-body">
      ${title ? html`<div class=${loading ? "task-title answer-shimmer" : "task-title"} dir="auto">${title}</div>` : nothing}
      ${body}
    </div>
  </div>`;
}

function status({ context }: Scope, task: Task, loading: boolean): TemplateResult {
  if (loading)
    return html`<span class="task-spinner" role="img" aria-label=${context.words.t("answer.loading")}></span>`;
  if (task.status_indicator !== "complete") return icon(taskIcon(task));
  return html`<span class="task-complete" role="img" aria-label=${context.words.t("answer.complete")}>${icon("check")}</span>`;
}

function content(scope: Scope, task: Task, key: string, streaming: boolean): TemplateResult | typeof nothing {
  switch (task.type) {
    case "custom":
    case "thought":
      return textOf(task.content)
        ? html`<div class="task-text" dir="auto">${scope.prose.render(key, textOf(task.content), { streaming })}</div>`
        : nothing;
    case "web_search":
      return html`${queries(scope, task.queries)}${sources(scope, task.sources)}`;
    case "file":
      return sources(scope, task.sources);
    default:
      return nothing;
  }
}

function queries({ prose }: Scope, given: unknown): TemplateResult | typeof nothing {
  const texts = Array.isArray(given)
    ? given.filter((query): query is string => typeof query === "string" && query !== "")
    : [];
  if (texts.length === 0) return nothing;
  return html`<ul class="task-queries">
    ${texts.map((text) => html`<li class="task-query" dir="auto">${icon("search")}${prose.plain(text)}</li>`)}
  </ul>`;
}

function sources(scope: Scope, given: unknown): TemplateResult | typeof nothing {
  const read = Array.isArray(given) ? given.map(readSource).filter((source) => source !== null) : [];
  if (read.length === 0) return nothing;
  return html`<ul class="sources-list">
    ${read.map((source) => html`<li class="sources-item">${row(scope, source)}</li>`)}
  </ul>`;
}
