/**
 * Items as they arrive, checked: what comes out has the members that its type promises, so that views can rely on
 * them. What is well-formed comes out as the same object.
 */

import { PENDING_ID } from "./transcript.ts";
import type {
  Annotation,
  AssistantMessageContent,
  GeneratedImage,
  Task,
  Thread,
  ThreadItem,
  WidgetNode,
} from "./wire.ts";

type Json = Record<string, unknown>;

/** Widgets nest less deeply; without a bound a hostile one would exhaust the stack. */
export const MAX_DEPTH = 100;

const UNSEEN = new Set(["end_of_turn", "hidden_context_item", "sdk_hidden_context"]);

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Items that are never shown. */
export function isUnseen(item: ThreadItem): boolean {
  return UNSEEN.has(item.type);
}

/** Null for what is no item, or of a type that is not known here. */
export function readItem(value: unknown): ThreadItem | null {
  if (!isObject(value) || typeof value.id !== "string" || value.id === "" || value.id === PENDING_ID) return null;
  if (UNSEEN.has(String(value.type))) return value as unknown as ThreadItem;
  const read = Object.hasOwn(READERS, String(value.type)) ? READERS[String(value.type)] : undefined;
  return (read?.(value) ?? null) as ThreadItem | null;
}

export function readItems(values: unknown): ThreadItem[] {
  return Array.isArray(values) ? values.map(readItem).filter((item) => item !== null) : [];
}

export function readThread(value: unknown): Thread | null {
  return isObject(value) && typeof value.id === "string" && value.id !== "" ? (value as unknown as Thread) : null;
}

export function readPart(value: unknown): AssistantMessageContent | null {
  if (!isObject(value) || value.type !== "output_text" || typeof value.text !== "string") return null;
  const annotations = value.annotations === undefined ? undefined : list(value.annotations, readAnnotation);
  return (annotations === value.annotations ? value : { ...value, annotations }) as unknown as AssistantMessageContent;
}

export function readAnnotation(value: unknown): Annotation | null {
  return isObject(value) && isObject(value.source) ? (value as unknown as Annotation) : null;
}

export function readTask(value: unknown): Task | null {
  return isObject(value) && typeof value.type === "string" ? (value as unknown as Task) : null;
}

export function readWidget(value: unknown): WidgetNode | null {
  return isObject(value) && typeof value.type === "string" && nestsUpTo(MAX_DEPTH, value)
    ? (value as WidgetNode)
    : null;
}

function nestsUpTo(levels: number, { children }: Json): boolean {
  return (
    levels > 0 &&
    (Array.isArray(children) ? children : [children]).every((child) => !isObject(child) || nestsUpTo(levels - 1, child))
  );
}

export function readImage(value: unknown): GeneratedImage | null {
  return isObject(value) && typeof value.url === "string" ? (value as unknown as GeneratedImage) : null;
}

const READERS: Record<string, (item: Json) => Json | null> = {
  user_message: (item) => {
    const read = withMember(item, "content", list(item.content, readUserContent));
    return item.attachments === undefined ? read : withMember(read, "attachments", list(item.attachments, readNamed));
  },
  assistant_message: (item) => withMember(item, "content", list(item.content, readPart)),
  client_tool_call: (item) => {
    if (typeof item.name !== "string") return null;
    return withMember(item, "arguments", isObject(item.arguments) ? item.arguments : {});
  },
  widget: (item) => (readWidget(item.widget) ? item : null),
  generated_image: (item) =>
    item.image === undefined || readImage(item.image) ? item : withMember(item, "image", null),
  structured_input: (item) => withMember(item, "inputs", list(item.inputs, readQuestion)),
  task: (item) => (readTask(item.task) ? item : null),
  workflow: (item) => {
    if (!isObject(item.workflow)) return null;
    return withMember(item, "workflow", withMember(item.workflow, "tasks", list(item.workflow.tasks, readTask)));
  },
};

function readUserContent(value: unknown): Json | null {
  return isObject(value) && typeof value.text === "string" ? value : null;
}

function readNamed(value: unknown): Json | null {
  return isObject(value) && typeof value.id === "string" && typeof value.name === "string" ? value : null;
}

function readQuestion(value: unknown): Json | null {
  if (!isObject(value) || typeof value.id !== "string" || typeof value.question !== "string") return null;
  return value.type === "multiple_choice" ? withMember(value, "options", list(value.options, readOption)) : value;
}

function readOption(value: unknown): Json | null {
  return isObject(value) && typeof value.value === "string" ? value : null;
}

/** The elements that can be read; the list itself when that is each of them as it stands. */
function list<T>(value: unknown, read: (element: unknown) => T | null): readonly T[] {
  if (!Array.isArray(value)) return [];
  const elements = value.map(read);
  if (elements.every((element, n) => element === value[n])) return value;
  return elements.filter((element) => element !== null);
}

function withMember(object: Json, name: string, value: unknown): Json {
  return object[name] === value ? object : { ...object, [name]: value };
}
