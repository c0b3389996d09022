/** The words of an error: its own, or those of its code. */

import type { LocalEntry } from "../../core/transcript.ts";
import type { Key } from "../../locales/en.ts";
import type { Words } from "../../locales/words.ts";

const TEXTS: Readonly<Record<string, Key>> = {
  network: "error.network",
  unauthorized: "error.unauthorized",
  rate_limit: "error.rateLimit",
  not_found: "thread.gone",
  broken_off: "error.brokenOff",
};

export function errorText(
  words: Words,
  { message, code = "" }: Pick<LocalEntry & { type: "error" }, "message" | "code">,
): string {
  return message || words.t(Object.hasOwn(TEXTS, code) ? TEXTS[code]! : "error.stream");
}
