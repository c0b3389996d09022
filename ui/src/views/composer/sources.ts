/** Where the lists of the composer get their suggestions: the page's entities and commands, and its own actions. */

import type { Command, CommandSelection, Entity } from "@openai/chatkit";
import type { Context } from "../context.ts";
import { type Tag, tagOf } from "./draft.ts";
import type { Source, Suggestion } from "./suggestions.ts";

/** What suggestions do in the composer. */
export interface Target {
  replaceWithTag(start: number, end: number, tag: Tag): void;
  /** Takes out what was typed to find a command. */
  remove(start: number, end: number): void;
  /** At the caret. */
  insertTag(tag: Tag): void;
  openLevel(suggestions: readonly Suggestion[]): void;
}

/** An action of the composer itself that "/" offers too. */
export interface BuiltIn {
  id: string;
  label: string;
  icon: string;
  run(): void;
}

export function mentions(context: Context, target: Target, query: string): Source {
  const search = context.options.entities?.onTagSearch;
  if (!search) return { own: [] };
  return {
    own: [],
    ask: async () => {
      const found: unknown = await context.callPage("entities.onTagSearch", () => search(query));
      return Array.isArray(found) ? found.filter(isEntity).map((entity) => mention(target, entity)) : undefined;
    },
  };
}

export function commands(context: Context, target: Target, builtIns: readonly BuiltIn[], query: string): Source {
  const own = builtIns.map(
    (builtIn): Suggestion => ({
      id: `own:${builtIn.id}`,
      label: builtIn.label,
      icon: builtIn.icon,
      pick(start, end) {
        target.remove(start, end);
        builtIn.run();
      },
    }),
  );
  const search = context.options.commands?.onSearch;
  if (!search) return { own };
  return {
    own,
    ask: async () => {
      const found: unknown = await context.callPage("commands.onSearch", () => search(query));
      return Array.isArray(found) ? pageCommands(context, target, found) : undefined;
    },
  };
}

function pageCommands(context: Context, target: Target, found: readonly unknown[]): Suggestion[] {
  return found.filter(isCommand).map((command) => ({
    ...command,
    id: `page:${command.id}`,
    async pick(start, end) {
      target.remove(start, end);
      const select = context.options.commands?.onSelect;
      if (!select) return;
      follow(context, target, await context.callPage("commands.onSelect", () => select(command)));
    },
  }));
}

function follow(context: Context, target: Target, selected: unknown): void {
  const selection = selected as CommandSelection | null | undefined;
  if (selection?.type === "entity" && isEntity(selection.entity)) {
    target.insertTag(tagOf(selection.entity));
  } else if (selection?.type === "menu" && Array.isArray(selection.commands)) {
    target.openLevel(pageCommands(context, target, selection.commands));
  }
}

function mention(target: Target, entity: Entity): Suggestion {
  return {
    id: entity.id,
    label: entity.title,
    icon: entity.icon,
    group: entity.group,
    pick: (start, end) => target.replaceWithTag(start, end, tagOf(entity)),
  };
}

function isEntity(value: unknown): value is Entity {
  const { id, title } = (value ?? {}) as Partial<Entity>;
  return typeof id === "string" && typeof title === "string";
}

function isCommand(value: unknown): value is Command {
  const { id, label } = (value ?? {}) as Partial<Command>;
  return typeof id === "string" && typeof label === "string";
}
