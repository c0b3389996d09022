/** Which files the composer takes: `composer.attachments.accept` and `maxSize`. */

import type { ComposerOption } from "@openai/chatkit";

const DEFAULT_MAX_SIZE = 100 * 1024 * 1024;

type Attachments = NonNullable<ComposerOption["attachments"]>;
type FileTraits = Pick<File, "name" | "type" | "size">;

/** Why a file is not taken; `limit` is in bytes. */
export type FileProblem = { reason: "type" } | { reason: "size"; limit: number };

/** Null where the file may be attached. */
export function fileProblem(
  file: FileTraits,
  { accept, maxSize }: Pick<Attachments, "accept" | "maxSize">,
): FileProblem | null {
  if (!isAccepted(file, accept)) return { reason: "type" };
  const limit = maxSizeOf(file, maxSize);
  return file.size > limit ? { reason: "size", limit } : null;
}

/** For `<input accept>`; "" takes everything. */
export function acceptAttribute(accept: Attachments["accept"]): string {
  const { types, extensions } = acceptedOf(accept);
  return types.includes("*/*") ? "" : [...new Set([...types, ...extensions])].join(",");
}

/** As in `showOpenFilePicker`: the type matches a key or the name ends as a value says; without entries all do. */
function isAccepted(file: FileTraits, accept: Attachments["accept"]): boolean {
  const { types, extensions } = acceptedOf(accept);
  const name = file.name.toLowerCase();
  return (
    types.length === 0 ||
    types.some((pattern) => matches(file.type, pattern)) ||
    extensions.some((extension) => name.endsWith(extension))
  );
}

/** The most exact pattern that matches, then the fallback `"*"` or `""`, then 100 MiB. */
function maxSizeOf(file: FileTraits, maxSize: Attachments["maxSize"]): number {
  if (typeof maxSize !== "object") return maxSize ?? DEFAULT_MAX_SIZE;
  const patterns = Object.entries(maxSize).sort(([a], [b]) => wildness(a) - wildness(b));
  return patterns.find(([pattern]) => matches(file.type, pattern))?.[1] ?? DEFAULT_MAX_SIZE;
}

function acceptedOf(accept: Attachments["accept"] = {}): { types: string[]; extensions: string[] } {
  const extensions = Object.values(accept)
    .flat()
    .filter(Boolean)
    .map((each) => each.toLowerCase());
  return {
    types: Object.keys(accept).map((each) => (wildness(each) > 1 ? "*/*" : each.toLowerCase())),
    extensions: extensions.map((each) => (each.startsWith(".") ? each : `.${each}`)),
  };
}

/** 0 for one type, 1 for a family such as `image/*`, 2 for everything. */
function wildness(pattern: string): number {
  if (["", "*", "*/*"].includes(pattern)) return 2;
  return pattern.endsWith("/*") ? 1 : 0;
}

function matches(mimeType: string, pattern: string): boolean {
  const type = mimeType.split(";")[0]!.trim().toLowerCase();
  const wanted = pattern.toLowerCase();
  const wild = wildness(wanted);
  return wild === 2 || (wild === 1 ? type.startsWith(wanted.slice(0, -1)) : type === wanted);
}
