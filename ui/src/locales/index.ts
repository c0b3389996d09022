/** Which language is spoken, and its words. English is in the bundle, every other language is a chunk of its own. */

import { load } from "../lazy.ts";
import { en, type Key } from "./en.ts";
import type { Words } from "./words.ts";

/** A text, or one text for each plural form of the language. */
export type Dictionary = Readonly<Record<Key, string | Readonly<Partial<Record<Intl.LDMLPluralRule, string>>>>>;

/** The languages that have a chunk. */
export const TRANSLATED: readonly string[] = [];

/** English at once; what else the reader's language has comes from `loadWords`. */
export function createWords(locale: string, dictionary: Dictionary = en, direction = directionOf(locale)): Words {
  return new LocaleWords(locale, dictionary, direction);
}

/** Words in the language asked for, or else English; rejects when the chunk cannot be fetched. */
export async function loadWords(asked: string): Promise<Words> {
  const locale = resolveLocale(asked, TRANSLATED);
  if (locale === null) return englishFor(asked);
  const chunk = await load.locale(locale);
  return createWords(locale, { ...en, ...(chunk.default as Partial<Dictionary>) });
}

/**
 * English words, with the dates and numbers of the reader's region where that speaks English. The direction is that of
 * the language asked for: the conversation is in it, though the buttons are not.
 */
export function englishFor(asked: string): Words {
  return createWords(likely(asked)?.language === "en" ? asked : "en", en, directionOf(asked));
}

/** The language to speak for the one asked for: the same, or its nearest relative in the same script; null for none. */
export function resolveLocale(asked: string, available: readonly string[]): string | null {
  const wanted = likely(asked);
  if (!wanted) return null;
  const related = available.filter((tag) => {
    const has = likely(tag);
    return has?.language === wanted.language && has.script === wanted.script;
  });
  const of = (region: string | undefined): string | undefined => related.find((tag) => likely(tag)?.region === region);
  // Outside of Spain, Spanish is closer to that of Latin America.
  const home = likely(`${wanted.language}-${wanted.script}`)?.region;
  return of(wanted.region) ?? of("419") ?? of(home) ?? related[0] ?? null;
}

/** Names of one language that CLDR keeps apart. */
const SAME: Readonly<Record<string, string>> = { no: "nb", fil: "tl" };

/** The tag with the script and region that it most likely means. */
function likely(tag: string): Intl.Locale | null {
  try {
    const locale = new Intl.Locale(tag).maximize();
    const same = SAME[locale.language];
    return same ? new Intl.Locale(locale, { language: same }) : locale;
  } catch {
    return null;
  }
}

const RIGHT_TO_LEFT = new Set(["Adlm", "Arab", "Hebr", "Nkoo", "Rohg", "Syrc", "Thaa"]);

function directionOf(tag: string): "ltr" | "rtl" {
  return RIGHT_TO_LEFT.has(likely(tag)?.script ?? "") ? "rtl" : "ltr";
}

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

class LocaleWords implements Words {
  readonly #dictionary: Dictionary;
  readonly #plurals: Intl.PluralRules;

  constructor(
    readonly locale: string,
    dictionary: Dictionary,
    readonly direction: "ltr" | "rtl",
  ) {
    this.#dictionary = dictionary;
    this.#plurals = new Intl.PluralRules(locale);
  }

  t(key: Key, values: Record<string, string | number> = {}): string {
    const entry = this.#dictionary[key];
    const text =
      typeof entry === "string" ? entry : (entry[this.#plurals.select(Number(values.count ?? 0))] ?? entry.other ?? "");
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
      const value = Object.hasOwn(values, name) ? values[name] : undefined;
      return typeof value === "number" ? this.#number(value) : (value ?? whole);
    });
  }

  percent(fraction: number): string {
    return this.#number(fraction, { style: "percent", maximumFractionDigits: 0 });
  }

  bytes(count: number): string {
    const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
    const step = Math.min(units.length - 1, count < 1 ? 0 : Math.floor(Math.log2(count) / 10));
    const unit = units[step]!;
    const unitDisplay = step === 0 ? "long" : "short";
    return this.#number(count / 1024 ** step, { style: "unit", unit, unitDisplay, maximumFractionDigits: 1 });
  }

  duration(seconds: number): string {
    const whole = Math.max(0, Math.round(seconds));
    const parts = { hours: Math.floor(whole / 3_600), minutes: Math.floor((whole % 3_600) / 60), seconds: whole % 60 };
    const shown = Object.entries(parts).filter(([unit, value]) => value > 0 || (whole === 0 && unit === "seconds"));
    if (typeof Intl.DurationFormat === "function" && whole > 0) {
      return new Intl.DurationFormat(this.locale, { style: "long" }).format(parts);
    }
    return this.list(
      shown.map(([unit, value]) =>
        this.#number(value, { style: "unit", unit: unit.slice(0, -1), unitDisplay: "long" }),
      ),
    );
  }

  relativeTime(iso: string): string {
    const date = toDate(iso);
    if (!date) return "";
    const seconds = (date.getTime() - Date.now()) / 1_000;
    if (Math.abs(seconds) > 7 * 86_400) return this.#format(date, { dateStyle: "medium" });
    const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
    // Fresh times are "now", also when the clocks of the two sides disagree.
    const amount = unit === "second" ? 0 : Math.trunc(seconds / size);
    return new Intl.RelativeTimeFormat(this.locale, { numeric: "auto" }).format(amount, unit);
  }

  date(iso: string): string {
    const date = toDate(iso);
    return date ? this.#format(date, { dateStyle: "long", timeStyle: "short" }) : "";
  }

  list(parts: readonly string[]): string {
    return new Intl.ListFormat(this.locale).format(parts);
  }

  #number(value: number, options?: Intl.NumberFormatOptions): string {
    return new Intl.NumberFormat(this.locale, options).format(value);
  }

  #format(date: Date, options: Intl.DateTimeFormatOptions): string {
    return new Intl.DateTimeFormat(this.locale, options).format(date);
  }
}

/** A time without a zone is UTC: Python's naive datetimes are sent that way. */
function toDate(iso: string): Date | null {
  const date = new Date(/T[^Z+-]*$/.test(iso) ? `${iso}Z` : iso);
  return Number.isNaN(date.getTime()) ? null : date;
}
