/** What the views of a thread share. */

import type { Entity } from "@openai/chatkit";
import type { EntitySource, UserMessageContent } from "../../core/wire.ts";
import type { Context } from "../context.ts";
import type { Preview } from "./preview.ts";
import type { Prose } from "./prose.ts";

/** What the reader did with an entry; kept for as long as the conversation is on the screen. */
export interface Mark {
  /** The reader's own choice, which wins over the server's. */
  readonly expanded?: boolean;
  readonly copied?: boolean;
  /** The address of an image that could not be loaded. */
  readonly broken?: string;
  /** The widget's actions that are under way. */
  readonly acting?: readonly Acting[];
}

/** The path of what was pressed, and how much of the widget waits with it. */
export interface Acting {
  readonly path: string;
  readonly loading: "none" | "self" | "container";
}

export interface Scope {
  readonly context: Context;
  readonly prose: Prose;
  readonly preview: Preview;
  /** A new object after every change. */
  mark(id: string): Mark | undefined;
  setMark(id: string, change: Mark): void;
}

/** A tag or source as the page's callbacks know it. */
export function entityOf(of: EntitySource | (UserMessageContent & { type: "input_tag" })): Entity {
  return {
    id: of.id,
    title: of.type === "entity" ? of.title : of.text,
    interactive: of.interactive === true,
    data: (of.data ?? {}) as Record<string, string>,
    ...(of.group && { group: of.group }),
    ...(of.type === "entity" && of.icon && { icon: of.icon }),
  };
}

/** Tells the page that an entity was clicked. */
export function clickEntity(context: Context, entity: Entity): void {
  const onClick = context.options.entities?.onClick;
  if (onClick) void context.callPage("entities.onClick", () => onClick(entity));
}

/** The hidden heading of a message, one level below the thread's title. */
export function headingLevel(context: Context): number {
  return (context.options.headingLevel ?? 2) + 1;
}

/** Answers a message again, without an id the last; while a turn runs that cannot be, and the page is told. */
export function again(context: Context, itemId?: string): void {
  context.conversation.retry(itemId).catch((error) => context.error(error));
}
