import { afterEach, describe, expect, test, vi } from "vitest";
import { en, type Key } from "../src/locales/en.ts";
import { createWords, englishFor, loadWords, resolveLocale } from "../src/locales/index.ts";

const TRANSLATED =
  "am ar bg-BG bn-BD bs-BA ca-ES cs-CZ da-DK de-DE el-GR es-419 es-ES et-EE fi-FI fr-CA fr-FR gu-IN hi-IN hr-HR hu-HU hy-AM id-ID is-IS it-IT ja-JP ka-GE kk kn-IN ko-KR lt lv-LV mk-MK ml mn mr-IN ms-MY my-MM nb-NO nl-NL pa pl-PL pt-BR pt-PT ro-RO ru-RU sk-SK sl-SI so-SO sq-AL sr-RS sv-SE sw-TZ ta-IN te-IN th-TH tl tr-TR uk-UA ur vi-VN zh-CN zh-HK zh-TW".split(
    " ",
  );

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("the language that is spoken", () => {
  test.each(TRANSLATED)("%s is itself", (tag) => {
    expect(resolveLocale(tag, TRANSLATED)).toBe(tag);
  });

  test.each([
    ["de", "de-DE"],
    ["de-AT", "de-DE"],
    ["es", "es-ES"],
    ["es-MX", "es-419"],
    ["fr", "fr-FR"],
    ["fr-CH", "fr-FR"],
    ["no", "nb-NO"],
    ["pt", "pt-BR"],
    ["zh", "zh-CN"],
    ["zh-Hant", "zh-TW"],
    ["zh-Hans-SG", "zh-CN"],
    ["sr", "sr-RS"],
    ["fil", "tl"],
    ["bn-IN", "bn-BD"],
  ])("%s is %s", (asked, spoken) => {
    expect(resolveLocale(asked, TRANSLATED)).toBe(spoken);
  });

  test.each(["en", "en-GB", "tlh", "xx", "", "not a tag", "sr-Latn"])("%s has no translation", (asked) => {
    expect(resolveLocale(asked, TRANSLATED)).toBeNull();
  });

  test("what has no translation is spoken in English, with the dates of an English region", async () => {
    expect((await loadWords("tlh")).locale).toBe("en");
    expect((await loadWords("en-GB")).locale).toBe("en-GB");
    expect(englishFor("not a tag").t("composer.send")).toBe("Send");
  });

  test.each([
    ["ar", "rtl"],
    ["ur", "rtl"],
    ["he-IL", "rtl"],
    ["en", "ltr"],
    ["pa", "ltr"],
    ["pa-PK", "rtl"],
  ])("%s is written %s", (locale, direction) => {
    expect(createWords(locale).direction).toBe(direction);
  });
});

describe("words", () => {
  const words = createWords("en");

  test("values are filled in, and what is not given stays", () => {
    expect(words.t("history.renamed", { title: "A {b} $&" })).toBe("Renamed to A {b} $&");
    expect(words.t("history.renamed")).toBe("Renamed to {title}");
  });

  test("the count chooses the form, in the language's own rules", () => {
    expect(words.t("history.count", { count: 1 })).toBe("1 conversation");
    expect(words.t("history.count", { count: 1200 })).toBe("1,200 conversations");
    const polish = {
      ...en,
      "history.count": { one: "{count} rozmowa", few: "{count} rozmowy", many: "{count} rozmów" },
    };
    const forms = [1, 3, 5].map((count) => createWords("pl-PL", polish).t("history.count", { count }));
    expect(forms).toEqual(["1 rozmowa", "3 rozmowy", "5 rozmów"]);
  });

  test("every key has a text", () => {
    for (const key of Object.keys(en) as Key[]) expect(words.t(key, { count: 2 }), key).not.toBe("");
  });

  test("sizes, shares and lists", () => {
    expect([0, 1, 1023, 1536, 104857600].map((count) => words.bytes(count))).toEqual([
      "0 bytes",
      "1 byte",
      "1,023 bytes",
      "1.5 kB",
      "100 MB",
    ]);
    expect(words.percent(0.256)).toBe("26%");
    expect(words.list(["a", "b", "c"])).toBe("a, b, and c");
  });

  test.each(["with", "without"])("durations, %s Intl.DurationFormat", (how) => {
    if (how === "without") vi.stubGlobal("Intl", Object.assign(Object.create(Intl), { DurationFormat: undefined }));
    expect([0, 0.2, 12, 60].map((seconds) => words.duration(seconds))).toEqual([
      "0 seconds",
      "0 seconds",
      "12 seconds",
      "1 minute",
    ]);
    expect(words.duration(3723)).toMatch(/^1 hour, 2 minutes,? (and )?3 seconds$/);
  });
});

describe("times", () => {
  const words = createWords("en-US");
  const now = (iso: string) => vi.useFakeTimers({ now: new Date(iso) });

  test.each([
    ["2026-05-01T11:59:50Z", "now"],
    ["2026-05-01T12:00:20Z", "now"],
    ["2026-05-01T11:58:00Z", "2 minutes ago"],
    ["2026-05-01T08:59:00Z", "3 hours ago"],
    ["2026-04-30T11:00:00Z", "yesterday"],
    ["2026-04-20T11:00:00Z", "Apr 20, 2026"],
  ])("%s is %s", (iso, said) => {
    now("2026-05-01T12:00:00Z");
    expect(words.relativeTime(iso)).toBe(said);
  });

  test("a time without a zone is UTC", () => {
    now("2026-05-01T12:00:00Z");
    expect(words.relativeTime("2026-05-01T11:56:59.123456")).toBe("3 minutes ago");
    expect(words.date("2026-05-01T11:57:00")).toBe(words.date("2026-05-01T11:57:00Z"));
    expect(words.date("2026-05-01T13:57:00+02:00")).toBe(words.date("2026-05-01T11:57:00Z"));
  });

  test("what is no time is left out", () => {
    expect(words.relativeTime("soon")).toBe("");
    expect(words.date("")).toBe("");
  });
});
