/** What an update makes of an item. */

import { isObject, MAX_DEPTH, readAnnotation, readImage, readPart, readTask, readWidget } from "./item.ts";
import type {
  AssistantMessageContent,
  AssistantMessageItem,
  GeneratedImageItem,
  ThreadItem,
  WidgetItem,
  WidgetNode,
  WorkflowItem,
} from "./wire.ts";

type Json = Record<string, unknown>;

/** An index beyond it is no message's and no workflow's: nobody writes that many parts or tasks. */
const MAX_INDEX = 1000;

const PART = "assistant_message.content_part.";

/** Null when the update is malformed, unknown, or not one of this kind of item. */
export function updateItem(item: ThreadItem, update: Json): ThreadItem | null {
  if (typeof update.type !== "string") return null;
  if (update.type.startsWith(PART)) return item.type === "assistant_message" ? updateMessage(item, update) : null;
  switch (item.type) {
    case "widget":
      return updateWidget(item, update);
    case "workflow":
      return updateWorkflow(item, update);
    case "generated_image":
      return updateImage(item, update);
    default:
      return null;
  }
}

function updateMessage(item: AssistantMessageItem, update: Json): AssistantMessageItem | null {
  const index = update.content_index;
  if (!isIndex(index)) return null;
  const part = updatePart(item.content[index] ?? emptyPart(), update);
  if (part === null) return null;
  const content = item.content.slice();
  // Deltas of a part may come before the part.
  while (content.length < index) content.push(emptyPart());
  content[index] = part;
  return { ...item, content };
}

function emptyPart(): AssistantMessageContent {
  return { type: "output_text", text: "", annotations: [] };
}

function updatePart(part: AssistantMessageContent, update: Json): AssistantMessageContent | null {
  switch (update.type) {
    case `${PART}text_delta`:
      return typeof update.delta === "string" ? { ...part, text: part.text + update.delta } : null;
    case `${PART}added`:
    case `${PART}done`:
      return readPart(update.content);
    case `${PART}annotation_added`: {
      const annotation = readAnnotation(update.annotation);
      if (annotation === null || !isIndex(update.annotation_index)) return null;
      return { ...part, annotations: inserted(part.annotations ?? [], update.annotation_index, annotation) };
    }
    default:
      return null;
  }
}

function updateWorkflow(item: WorkflowItem, update: Json): WorkflowItem | null {
  const { workflow } = item;
  const { task_index: index } = update;
  const task = readTask(update.task);
  if (task === null || !isIndex(index)) return null;
  if (update.type === "workflow.task.added") {
    return { ...item, workflow: { ...workflow, tasks: inserted(workflow.tasks, index, task) } };
  }
  if (update.type !== "workflow.task.updated" || index >= workflow.tasks.length) return null;
  const tasks = workflow.tasks.slice();
  tasks[index] = task;
  return { ...item, workflow: { ...workflow, tasks } };
}

function updateImage(item: GeneratedImageItem, update: Json): GeneratedImageItem | null {
  const image = readImage(update.image);
  if (update.type !== "generated_image.updated" || image === null) return null;
  const progress = typeof update.progress === "number" ? Math.min(1, Math.max(0, update.progress)) : null;
  return { ...item, image, progress };
}

function updateWidget(item: WidgetItem, update: Json): WidgetItem | null {
  const widget = updateTree(item.widget, update);
  return widget && { ...item, widget };
}

function updateTree(root: WidgetNode, update: Json): WidgetNode | null {
  const { component_id: id, delta } = update;
  if (update.type === "widget.root.updated") return readWidget(update.widget);
  if (typeof id !== "string") return null;
  if (update.type === "widget.component.updated") {
    const component = readWidget(update.component);
    return component && withComponent(root, id, () => component);
  }
  if (update.type !== "widget.streaming_text.value_delta" || typeof delta !== "string") return null;
  return withComponent(root, id, (node) => {
    if (node.type !== "Text" && node.type !== "Markdown") return null;
    return { ...node, value: (typeof node.value === "string" ? node.value : "") + delta };
  });
}

/** A copy in which the first component of that id is changed; null when there is none or it cannot be changed. */
function withComponent(
  node: unknown,
  id: string,
  change: (node: WidgetNode) => WidgetNode | null,
  depth = 0,
): WidgetNode | null {
  if (!isObject(node) || depth > MAX_DEPTH) return null;
  if (node.id === id) return change(node as WidgetNode);
  const { children } = node;
  if (!Array.isArray(children)) {
    const child = withComponent(children, id, change, depth + 1);
    return child && ({ ...node, children: child } as WidgetNode);
  }
  for (const [n, each] of children.entries()) {
    const child = withComponent(each, id, change, depth + 1);
    if (child) return { ...node, children: children.with(n, child) } as WidgetNode;
  }
  return null;
}

function isIndex(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_INDEX;
}

function inserted<T>(list: readonly T[], index: number, element: T): T[] {
  const copy = list.slice();
  copy.splice(index, 0, element);
  return copy;
}
