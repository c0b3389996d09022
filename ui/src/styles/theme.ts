/** The `theme` option as custom properties. Every derived colour keeps its contrast, whatever the page chose. */

import type { ThemeOption, TypographyOption } from "@openai/chatkit";
import type { Options } from "../core/options.ts";
import { oklch, parseColor } from "./color.ts";
import { type Base, isDark, palette } from "./palette.ts";

export interface Theme {
  readonly scheme: "light" | "dark";
  /** Custom properties by name. */
  readonly properties: Readonly<Record<string, string>>;
  /** Members whose value cannot be used, such as `color.accent.primary`. */
  readonly refused: readonly string[];
}

/** Pure, but for the names of colours, which only a browser knows. */
export function deriveTheme(option: Options["theme"]): Theme {
  const theme: ThemeOption = typeof option === "string" ? { colorScheme: option } : (option ?? {});
  const refused: string[] = [];
  const base = readColors(theme, refused);
  return {
    // What the browser draws itself has to fit the surface, also where the page calls a black surface light.
    scheme: isDark(base.background) ? "dark" : "light",
    properties: { ...palette(base), ...shape(theme), ...type(theme.typography ?? {}, refused) },
    refused,
  };
}

/** Puts a theme on the frame, in place of the one before it. */
export function applyTheme(frame: HTMLElement, theme: Theme): void {
  frame.dataset.scheme = theme.scheme;
  for (const name of [...frame.style]) if (!(name in theme.properties)) frame.style.removeProperty(name);
  for (const [name, value] of Object.entries(theme.properties)) frame.style.setProperty(name, value);
}

const clamp = (value: unknown, low: number, high: number): number =>
  typeof value === "number" && Number.isFinite(value) ? Math.min(high, Math.max(low, value)) : Math.max(low, 0);

function readColors({ colorScheme, color = {} }: ThemeOption, refused: string[]): Base {
  const hue = clamp(color.grayscale?.hue, 0, 360);
  const tint = clamp(color.grayscale?.tint, 0, 9);
  // White can only become darker, so a negative shade shows in what lies on it.
  const shade = clamp(color.grayscale?.shade, -4, 4);
  const chroma = tint * 0.0035;
  const [ground, ink] =
    colorScheme === "dark"
      ? [oklch(0.225 - 0.018 * shade, chroma * 0.7, hue), oklch(0.945 - 0.006 * shade, chroma * 0.4, hue)]
      : [
          oklch(1 - 0.0015 * tint - 0.012 * Math.max(0, shade), chroma * 0.25, hue),
          oklch(0.22 - 0.012 * shade, chroma, hue),
        ];
  const read = (name: string, value: unknown) => {
    const parsed = parseColor(value, ground);
    if (value !== undefined && !parsed) refused.push(`color.${name}`);
    return parsed;
  };
  const primary = read("accent.primary", color.accent?.primary);
  return {
    background: read("surface.background", color.surface?.background) ?? ground,
    foreground: read("surface.foreground", color.surface?.foreground) ?? ink,
    gray: { hue, chroma },
    accent: primary && { primary, level: clamp(color.accent?.level, 0, 3) },
  };
}

/** Pixels: small, medium, large, full, composer. */
const radii = {
  pill: [8, 12, 18, 999, 28],
  round: [7, 10, 14, 16, 18],
  soft: [4, 6, 8, 8, 10],
  sharp: [0, 0, 0, 0, 0],
} as const;

/** Pixels: the unit of space, and the height of a control. */
const densities = { compact: [3, 32], normal: [4, 36], spacious: [5, 40] } as const;

function shape({ radius, density }: ThemeOption): Record<string, string> {
  const [s, m, l, full, composer] = radii[radius ?? "pill"] ?? radii.pill;
  const [space, control] = densities[density ?? "normal"] ?? densities.normal;
  const pixels = {
    "radius-s": s,
    "radius-m": m,
    "radius-l": l,
    "radius-full": full,
    "radius-composer": composer,
    space,
    control,
  };
  return Object.fromEntries(Object.entries(pixels).map(([name, value]) => [`--ck-${name}`, `${value}px`]));
}

/** Names of fonts, quoted or not, and no functions. */
const FAMILIES =
  /^\s*(?:"[^"\\\n]+"|'[^'\\\n]+'|[\p{L}\p{N}_.-][\p{L}\p{N}_ .-]*)(?:,\s*(?:"[^"\\\n]+"|'[^'\\\n]+'|[\p{L}\p{N}_.-][\p{L}\p{N}_ .-]*))*$/u;

function type({ baseSize, fontFamily, fontFamilyMono }: TypographyOption, refused: string[]): Record<string, string> {
  const properties: Record<string, string> = {};
  if (baseSize !== undefined) properties["--ck-base"] = `${clamp(baseSize, 14, 18) / 16}rem`;
  const family = (name: string, value: unknown, property: string, generic: string): void => {
    if (value === undefined) return;
    if (typeof value === "string" && FAMILIES.test(value)) properties[property] = `${value.trim()}, ${generic}`;
    else refused.push(`typography.${name}`);
  };
  family("fontFamily", fontFamily, "--ck-font", "sans-serif");
  family("fontFamilyMono", fontFamilyMono, "--ck-font-mono", "monospace");
  return properties;
}
