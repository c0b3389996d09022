/**
 * What is loaded when it is first needed: each module of `lazy/` is a chunk. This is the module of the package, whose
 * bundler makes the chunks; the classic script has lazy.classic.ts in its place. A load rejects when its chunk cannot be
 * fetched, and may be tried again.
 */

/** The `d` of icons by their names. */
export interface Icons {
  default: Readonly<Record<string, string>>;
}

/** A language's words by the keys of `locales/en.ts`. */
export interface LocaleChunk {
  default: Readonly<Record<string, unknown>>;
}

export interface Lazy {
  markdown(): Promise<typeof import("./lazy/markdown.ts")>;
  code(): Promise<typeof import("./lazy/code.ts")>;
  math(): Promise<typeof import("./lazy/math.ts")>;
  inputForm(): Promise<typeof import("./lazy/input_form.ts")>;
  dictation(): Promise<typeof import("./lazy/dictation.ts")>;
  /** ChatKit's icons that only pages and servers ask for. */
  icons(): Promise<Icons>;
  lucide(shard: number): Promise<Icons>;
  locale(tag: string): Promise<LocaleChunk>;
}

export const load: Lazy = {
  markdown: () => import("./lazy/markdown.ts"),
  code: () => import("./lazy/code.ts"),
  math: () => import("./lazy/math.ts"),
  inputForm: () => import("./lazy/input_form.ts"),
  dictation: () => import("./lazy/dictation.ts"),
  icons: () => import("./lazy/icons.json"),
  lucide: (shard) => import(`./lazy/lucide/${shard}.json`),
  locale: (tag) => import(`./locales/${tag}.json`),
};

/** Where this module was loaded from; a bundler may have made something else of it than an address of the web. */
export const scriptUrl: string | null = import.meta.url.startsWith("http") ? import.meta.url : null;
