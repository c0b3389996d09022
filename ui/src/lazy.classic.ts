/** `lazy.ts` for the classic script: its chunks lie in a folder beside it, whose name the build injects. */

import type { Lazy } from "./lazy.ts";
import * as shared from "./shared.ts";

declare const CHUNKS: string;
declare const SHARED: string;

Object.assign(globalThis, { [Symbol.for(SHARED)]: shared });

/** Where this script came from. `currentScript` is there only while it runs, and not at all in `<script type=module>`. */
export const scriptUrl: string | null =
  (document.currentScript as HTMLScriptElement | null)?.src ??
  [...document.scripts].map((script) => script.src).findLast((src) => /\/chatkit(-\w+)?\.js([?#]|$)/.test(src)) ??
  null;

const failures = new Map<string, number>();

/** A chunk that failed is asked for under another URL, because browsers may remember the failure. */
async function chunk(name: string) {
  const failed = failures.get(name) ?? 0;
  try {
    return await import(
      new URL(`${CHUNKS}/${name}.js${failed ? `?${failed}` : ""}`, scriptUrl ?? document.baseURI).href
    );
  } catch (error) {
    failures.set(name, failed + 1);
    throw error;
  }
}

export const load: Lazy = {
  markdown: () => chunk("markdown"),
  code: () => chunk("code"),
  math: () => chunk("math"),
  inputForm: () => chunk("input_form"),
  dictation: () => chunk("dictation"),
  icons: () => chunk("icons"),
  lucide: (shard) => chunk(`lucide-${shard}`),
  locale: (tag) => chunk(`locale-${tag}`),
};
