import type { ThemeOption } from "@openai/chatkit";
import { describe, expect, test } from "vitest";
import { type Color, contrast, over, parseColor, toHex } from "../src/styles/color.ts";
import { deriveTheme } from "../src/styles/theme.ts";

const PRIMARIES = [
  "#000000",
  "#ffffff",
  "#ffd400",
  "#2563eb",
  "#16a34a",
  "#777777",
  "hsl(340 90% 60%)",
  "rgb(10, 20, 120)",
];
const GRAYS = [0, 9].flatMap((tint) =>
  [-4, 0, 4].flatMap((shade) => [25, 145, 265].map((hue) => ({ hue, tint, shade }))),
);
const SURFACES = [
  undefined,
  { background: "#fff7ed", foreground: "#431407" },
  { background: "#0f172a", foreground: "#e2e8f0" },
  { background: "#777777", foreground: "#888888" },
  { background: "#ffffff", foreground: "#bbbbbb" },
];

const TEXT = ["fg", "muted", "accent-text", "link", "danger", "warning", "info", "success", "on-bubble"];
const CODE = ["comment", "keyword", "string", "number", "function", "type"].map((kind) => `code-${kind}`);
const CALM = ["bg", "raised", "sunken"];
const GROUNDS = [...CALM, "bubble", "accent-tint", "danger-tint", "warning-tint", "info-tint"];

/** Each pair of colours that meet and are too alike. */
function faint(properties: Readonly<Record<string, string>>): string[] {
  const color = (name: string): Color => parseColor(properties[`--ck-${name}`]) ?? expect.fail(`no colour ${name}`);
  const hover =
    /^rgb\((\d+) (\d+) (\d+) \/ ([\d.]+)%\)$/
      .exec(properties["--ck-hover"] ?? "")
      ?.slice(1)
      .map(Number) ?? [];
  const [r = 0, g = 0, b = 0, percent = 0] = hover;
  const hovered = (ground: Color): Color => over({ r: r / 255, g: g / 255, b: b / 255 }, percent / 100, ground);
  const pairs: [string, Color, Color, number][] = [
    ...[...TEXT, ...CODE].flatMap((text) => [
      ...GROUNDS.map((ground): [string, Color, Color, number] => [
        `${text} on ${ground}`,
        color(text),
        color(ground),
        4.5,
      ]),
      ...CALM.map((ground): [string, Color, Color, number] => [
        `${text} on hovered ${ground}`,
        color(text),
        hovered(color(ground)),
        4.5,
      ]),
    ]),
    ["on-accent on accent", color("on-accent"), color("accent"), 4.5],
    ...["line-strong", "focus"].flatMap((line) =>
      GROUNDS.map((ground): [string, Color, Color, number] => [`${line} on ${ground}`, color(line), color(ground), 3]),
    ),
  ];
  return pairs
    .filter(([, one, other, ratio]) => contrast(one, other) < ratio)
    .map(([name, one, other]) => `${name} ${contrast(one, other).toFixed(2)}`);
}

describe("every theme can be read", () => {
  for (const colorScheme of ["light", "dark"] as const) {
    test(`${colorScheme} as it comes`, () => {
      const theme = deriveTheme(colorScheme);
      expect(theme.scheme).toBe(colorScheme);
      expect(faint(theme.properties)).toEqual([]);
    });
    for (const level of [0, 1, 2, 3] as const) {
      test(`${colorScheme} with accents of level ${level}, all greys and surfaces`, () => {
        const faults = PRIMARIES.flatMap((primary) =>
          GRAYS.flatMap((grayscale) =>
            SURFACES.flatMap((surface) => {
              const color = { accent: { primary, level }, grayscale, ...(surface && { surface }) } as NonNullable<
                ThemeOption["color"]
              >;
              return faint(deriveTheme({ colorScheme, color }).properties).map(
                (fault) => `${JSON.stringify(color)}: ${fault}`,
              );
            }),
          ),
        );
        expect(faults.slice(0, 5)).toEqual([]);
      });
    }
  }

  test("the check itself finds what is faint", () => {
    expect(faint({ ...deriveTheme("light").properties, "--ck-muted": "#cccccc" })).toContainEqual(
      expect.stringMatching(/^muted on bg/),
    );
  });
});

test("the accent spreads with its level", () => {
  const at = (level: 0 | 1 | 2 | 3) => deriveTheme({ color: { accent: { primary: "#2563eb", level } } }).properties;
  const plain = deriveTheme("light").properties;
  expect(at(0)["--ck-accent"]).toBe("#2563eb");
  const spread = [0, 1, 2, 3].map((level) =>
    ["--ck-accent-text", "--ck-accent-tint", "--ck-bubble"].filter((name) => at(level as 0)[name] !== plain[name]),
  );
  expect(spread).toEqual([
    [],
    ["--ck-accent-text"],
    ["--ck-accent-text", "--ck-accent-tint"],
    ["--ck-accent-text", "--ck-accent-tint", "--ck-bubble"],
  ]);
});

test("greys take the hue, the more the higher the tint, and shade darkens", () => {
  const sunken = (tint: 0 | 9, shade: 0 | 4 = 0) =>
    parseColor(deriveTheme({ color: { grayscale: { hue: 260, tint, shade } } }).properties["--ck-sunken"])!;
  expect(sunken(0).b - sunken(0).r).toBeLessThan(0.01);
  expect(sunken(9).b - sunken(9).r).toBeGreaterThan(0.02);
  expect(sunken(0, 4).g).toBeLessThan(sunken(0).g);
});

test("a surface is taken as it is, and the scheme is that of the surface", () => {
  const theme = deriveTheme({
    colorScheme: "light",
    color: { surface: { background: "#101418", foreground: "#f0f0f0" } },
  });
  expect(theme.properties["--ck-bg"]).toBe("#101418");
  expect(theme.properties["--ck-fg"]).toBe("#f0f0f0");
  expect(theme.scheme).toBe("dark");
});

test("density and radius change no colour and no type", () => {
  const shapes = /^--ck-(radius|space|control)/;
  const rest = (option: ThemeOption) =>
    Object.entries(deriveTheme(option).properties).filter(([name]) => !shapes.test(name));
  expect(rest({ density: "compact", radius: "sharp" })).toEqual(rest({}));
  expect(deriveTheme({ density: "compact" }).properties["--ck-space"]).toBe("3px");
  expect(deriveTheme({ radius: "sharp" }).properties["--ck-radius-composer"]).toBe("0px");
});

test("type is relative to the reader's own size", () => {
  expect(deriveTheme({ typography: { baseSize: 18 } }).properties["--ck-base"]).toBe("1.125rem");
  expect(deriveTheme({ typography: { fontFamily: "'Inter', Noto Sans" } }).properties["--ck-font"]).toBe(
    "'Inter', Noto Sans, sans-serif",
  );
});

test("a list of fonts that cannot be used is refused at once, however it is spaced", () => {
  const fontFamily = `A${",  B ".repeat(200)}!`;
  expect(deriveTheme({ typography: { fontFamily: fontFamily.replace("!", "") } }).refused).toEqual([]);
  expect(deriveTheme({ typography: { fontFamily } }).refused).toEqual(["typography.fontFamily"]);
});

test("values that are no colours or fonts are refused, and nothing of them reaches CSS", () => {
  const theme = deriveTheme({
    typography: { fontFamily: "x; background: url(//evil)" },
    color: { accent: { primary: "url(//evil)", level: 3 }, surface: { background: "red; x", foreground: "var(--y)" } },
  });
  expect(theme.refused).toEqual([
    "color.accent.primary",
    "color.surface.background",
    "color.surface.foreground",
    "typography.fontFamily",
  ]);
  expect(theme.properties).toEqual(deriveTheme({ color: {} }).properties);
});

test.each([
  ["#abc", "#aabbcc"],
  ["#AABBCC80", "#d4dde5"],
  ["rgb(1 2 3)", "#010203"],
  ["rgba(0, 0, 0, 50%)", "#808080"],
  ["hsl(120, 100%, 25%)", "#008000"],
  ["hsl(0.5turn 100% 50%)", "#00ffff"],
  ["oklch(62.8% 0.2577 29.23)", "#ff0000"],
  ["oklch(0.5 0 0)", "#636363"],
])("%s is read as %s", (text, hex) => {
  expect(toHex(parseColor(text)!)).toBe(hex);
});

test.each(["", "#12", "rgb(1,2)", "rgb(a b c)", "hsl(1 2 3 4 5)", "url(x)", 7, null])("%s is no colour", (text) => {
  expect(parseColor(text)).toBeNull();
});
