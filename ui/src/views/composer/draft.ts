/** What the reader is writing: text with tags in it. Pure. */

import type { UserMessageContent } from "../../core/wire.ts";

/** A mention. It is whole: it goes in, is deleted and is passed over as one character. */
export interface Tag {
  readonly id: string;
  readonly text: string;
  readonly data: Record<string, unknown>;
  readonly group?: string;
  readonly interactive: boolean;
  /** Shown while writing, not sent. */
  readonly icon?: string;
}

/** Every `TAG` in the text stands for the next of the tags. */
export interface Draft {
  readonly text: string;
  readonly tags: readonly Tag[];
}

/** U+FFFC, "object replacement character"; it is taken out of what the reader types or pastes. */
export const TAG = "\uFFFC";

export const EMPTY: Draft = { text: "", tags: [] };

/** A draft without tags; line ends become "\n". */
export function plain(text: string): Draft {
  return { text: text.replaceAll(TAG, "").replace(/\r\n?/g, "\n"), tags: [] };
}

export function tagged(tag: Tag): Draft {
  return { text: TAG, tags: [tag] };
}

/** `draft` with `insert` in place of what is between two offsets. */
export function splice(draft: Draft, start: number, end: number, insert: Draft): Draft {
  const before = tagsIn(draft.text.slice(0, start));
  const within = tagsIn(draft.text.slice(start, end));
  return {
    text: draft.text.slice(0, start) + insert.text + draft.text.slice(end),
    tags: [...draft.tags.slice(0, before), ...insert.tags, ...draft.tags.slice(before + within)],
  };
}

export function slice(draft: Draft, start: number, end: number): Draft {
  const before = tagsIn(draft.text.slice(0, start));
  const text = draft.text.slice(start, end);
  return { text, tags: draft.tags.slice(before, before + tagsIn(text)) };
}

/** One after the other, a line each; what is empty takes no line. */
export function joined(first: Draft, second: Draft): Draft {
  const between = first.text && second.text ? "\n" : "";
  return { text: first.text + between + second.text, tags: [...first.tags, ...second.tags] };
}

/** The text as a person reads it: tags by their titles. */
export function readable(draft: Draft): string {
  let next = 0;
  return draft.text.replaceAll(TAG, () => draft.tags[next++]?.text ?? "");
}

/** What is sent: text and tags in their order, without white space at the two ends; nothing at all gives `[]`. */
export function contentOf(draft: Draft): UserMessageContent[] {
  const content: UserMessageContent[] = [];
  draft.text
    .trim()
    .split(TAG)
    .forEach((text, index) => {
      const tag = draft.tags[index - 1];
      if (tag) {
        const { id, text: title, data, group, interactive } = tag;
        content.push({ type: "input_tag", id, text: title, data, ...(group ? { group } : {}), interactive });
      }
      if (text) content.push({ type: "input_text", text });
    });
  return content;
}

/** The draft of content that a page gives; parts that are neither text nor tag are left out. */
export function draftOf(content: readonly UserMessageContent[]): Draft {
  let draft = EMPTY;
  for (const part of content) {
    let added = EMPTY;
    if (part?.type === "input_text") added = plain(String(part.text ?? ""));
    else if (part?.type === "input_tag") added = tagged(tagOf({ ...part, title: part.text }));
    draft = { text: draft.text + added.text, tags: [...draft.tags, ...added.tags] };
  }
  return draft;
}

/** The tag of an entity, or of a part of a message. */
export function tagOf(entity: {
  id: string;
  title: string;
  data?: Record<string, unknown> | undefined;
  group?: string | null | undefined;
  interactive?: boolean | undefined;
  icon?: string | undefined;
}): Tag {
  return {
    id: String(entity.id),
    text: String(entity.title),
    data: entity.data ?? {},
    ...(entity.group ? { group: entity.group } : {}),
    interactive: entity.interactive === true,
    ...(entity.icon ? { icon: entity.icon } : {}),
  };
}

function tagsIn(text: string): number {
  return text.split(TAG).length - 1;
}
