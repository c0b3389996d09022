/** Words, numbers, dates and durations in the reader's language. */

import type { Key } from "./en.ts";

export interface Words {
  /** BCP 47, the language that the words are in. */
  readonly locale: string;
  readonly direction: "ltr" | "rtl";
  /** The words of a key; `{name}` is filled in from `values`; of plural forms `values.count` decides. */
  t(key: Key, values?: Record<string, string | number>): string;
  percent(fraction: number): string;
  /** "1.5 MB" */
  bytes(count: number): string;
  /** "12 seconds" */
  duration(seconds: number): string;
  /** "3 minutes ago", "yesterday", or a date. Takes ISO 8601, with or without a zone (then UTC). */
  relativeTime(iso: string): string;
  /** A date and time in full. */
  date(iso: string): string;
  list(parts: readonly string[]): string;
}
