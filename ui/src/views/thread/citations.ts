/** The sources of a message: which there are, their numbers, and where in the text they are cited. */

import type { AssistantMessageContent, EntitySource, FileSource, Source, UrlSource } from "../../core/wire.ts";
import { visible } from "../../markdown/visible.ts";

/** Numbers begin at 1, in the order in which the text cites. */
export interface Cited {
  readonly number: number;
  readonly source: Source;
}

/** Everything that is cited at one place; `index` counts Unicode code points. */
export interface Citation {
  readonly index: number;
  readonly cited: readonly Cited[];
}

export interface Citations {
  /** Each source once. Those without a place in the text come last. */
  readonly sources: readonly Cited[];
  /** By part of the message, in the order of the text. */
  readonly parts: readonly (readonly Citation[])[];
}

export function citationsOf(content: readonly AssistantMessageContent[]): Citations {
  const known = new Map<string, Cited>();
  const number = (source: Source): Cited => {
    const key = sourceKey(source);
    const cited = known.get(key) ?? { number: known.size + 1, source };
    known.set(key, cited);
    return cited;
  };
  const unplaced: Source[] = [];
  const parts = content.map(({ annotations = [] }) => {
    const places = new Map<number, Map<number, Cited>>();
    const placed = annotations.flatMap(({ source, index }) => {
      const read = readSource(source);
      if (read && !isPlace(index)) unplaced.push(read);
      return read && isPlace(index) ? [{ source: read, index }] : [];
    });
    for (const { source, index } of placed.sort((a, b) => a.index - b.index)) {
      const cited = number(source);
      places.set(index, (places.get(index) ?? new Map()).set(cited.number, cited));
    }
    return [...places].map(([index, cited]) => ({ index, cited: [...cited.values()] }));
  });
  unplaced.forEach(number);
  return { sources: [...known.values()], parts };
}

function isPlace(index: unknown): index is number {
  return typeof index === "number" && index >= 0;
}

/** The same for everything that is one source to a reader. */
function sourceKey(source: Source): string {
  if (source.type === "url") return `url ${source.url}`;
  return source.type === "file" ? `file ${source.filename} ${source.title}` : `entity ${source.id}`;
}

/** A source with a title and the members that its type promises, texts without what hides in them; null for what is none. */
export function readSource(value: unknown): Source | null {
  if (typeof value !== "object" || value === null) return null;
  const raw = value as Record<string, unknown>;
  const given = (name: string) => (typeof raw[name] === "string" && raw[name] !== "" ? raw[name] : null);
  const text = (name: string) => visible(given(name) ?? "") || null;
  const title = (otherwise: string) => text("title") ?? visible(otherwise);
  const common = { description: text("description"), timestamp: given("timestamp"), group: text("group") };
  const [url, filename, id] = [given("url"), text("filename"), given("id")];
  if (raw.type === "url" && url) {
    return {
      ...common,
      type: "url",
      url,
      title: title(hostOf(url)),
      attribution: text("attribution"),
    } satisfies UrlSource;
  }
  if (raw.type === "file" && (filename ?? text("title"))) {
    return {
      ...common,
      type: "file",
      filename: filename ?? title(""),
      title: title(filename ?? ""),
    } satisfies FileSource;
  }
  if (raw.type === "entity" && id) {
    return {
      ...common,
      type: "entity",
      id,
      title: title(id),
      icon: given("icon"),
      label: text("label"),
      inline_label: text("inline_label"),
      interactive: raw.interactive === true,
      data: typeof raw.data === "object" && raw.data !== null ? (raw.data as Record<string, unknown>) : {},
    } satisfies EntitySource;
  }
  return null;
}

/** The host of a URL as a reader knows it, without "www."; the text itself where it is no URL. */
export function hostOf(url: string): string {
  return URL.parse(url)?.hostname.replace(/^www\./, "") || url;
}
