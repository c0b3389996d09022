/** All colours of the design, derived from few, each with the contrast that its use needs. */

import {
  BLACK,
  type Color,
  contrast,
  luminance,
  mix,
  oklch,
  over,
  tinted,
  toHex,
  WHITE,
  withLightness,
} from "./color.ts";

export interface Base {
  readonly background: Color;
  readonly foreground: Color;
  /** What the greys have of a hue, in OKLCH. */
  readonly gray: { readonly hue: number; readonly chroma: number };
  /** `level`: 0 colours the main button, 1 links and marks too, 2 tinted grounds too, 3 the reader's bubbles too. */
  readonly accent: { readonly primary: Color; readonly level: number } | null;
}

/** WCAG 2.2 AA, for text and for the shape of controls. */
const TEXT = 4.5;
const SHAPE = 3;

/** The luminance of a ground on which black and white are read equally well. */
const MIDDLE = 0.179;

export const isDark = (ground: Color): boolean => luminance(ground) < MIDDLE;

/** The colour, as much lighter or darker as it takes for this contrast with all of the grounds. */
function readable(color: Color, grounds: readonly Color[], ratio: number): Color {
  const direction = grounds.every(isDark) ? 1 : -1;
  for (let change = 0; change < 1; change += 0.01) {
    const candidate = withLightness(color, (lightness) => lightness + direction * change);
    if (grounds.every((ground) => contrast(candidate, ground) >= ratio)) return candidate;
  }
  return direction > 0 ? WHITE : BLACK;
}

/** What is read on a ground of any colour. */
const inkOn = (ground: Color): Color =>
  [WHITE, oklch(0.2, 0, 0), BLACK].find((ink) => contrast(ink, ground) >= TEXT) ?? WHITE;

/** Custom properties by name. */
export function palette({ background, foreground, gray, accent }: Base): Record<string, string> {
  const dark = isDark(background);
  const extreme = dark ? WHITE : BLACK;
  const level = accent?.level ?? 0;

  /** The background with some of another colour, away from it where text would not be read. */
  const ground = (other: Color, amount: number): Color => {
    const mixed = tinted(mix(background, other, amount), gray.chroma / 2, gray.hue);
    return isDark(mixed) === dark && contrast(extreme, mixed) >= 5.5
      ? mixed
      : mix(background, dark ? BLACK : WHITE, amount);
  };
  const primary = accent?.primary ?? readable(foreground, [background], TEXT);
  const raised = dark ? ground(foreground, 0.065) : background;
  const sunken = dark ? ground(BLACK, 0.22) : ground(foreground, 0.032);
  const bubble = level >= 3 ? ground(primary, dark ? 0.34 : 0.16) : ground(foreground, dark ? 0.11 : 0.055);
  const tint = level >= 2 ? ground(primary, dark ? 0.24 : 0.1) : ground(foreground, dark ? 0.13 : 0.07);
  const [hover, pressed] = dark ? [0.07, 0.12] : [0.05, 0.09];
  const hue = (degrees: number, chroma: number): Color =>
    oklch(dark ? 0.8 : 0.5, dark ? chroma * 0.65 : chroma, degrees);
  const banner = (degrees: number): Color => ground(oklch(dark ? 0.62 : 0.82, 0.16, degrees), dark ? 0.22 : 0.18);
  const banners = { "danger-tint": banner(27), "warning-tint": banner(78), "info-tint": banner(250) };

  const calm = [background, raised, sunken];
  const hovered = calm.map((color) => over(foreground, hover, color));
  const grounds = [...calm, ...hovered, bubble, tint, ...Object.values(banners)];
  const words = (color: Color): Color => readable(color, grounds, TEXT);
  const shape = (color: Color): Color => readable(color, grounds, SHAPE);
  const ink = words(foreground);
  const muted = words(mix(foreground, background, 0.35));
  const accentText = level >= 1 ? words(primary) : ink;

  const solid: Record<string, Color> = {
    bg: background,
    fg: ink,
    raised,
    sunken,
    muted,
    line: ground(foreground, dark ? 0.16 : 0.11),
    "line-strong": shape(mix(background, foreground, 0.45)),
    bubble,
    "on-bubble": ink,
    accent: primary,
    "on-accent": inkOn(primary),
    "accent-text": accentText,
    "accent-tint": tint,
    link: level >= 1 ? accentText : words(hue(255, 0.16)),
    focus: level >= 1 ? shape(primary) : shape(hue(257, 0.17)),
    danger: words(hue(27, 0.19)),
    warning: words(hue(72, 0.12)),
    info: words(hue(250, 0.15)),
    ...banners,
    success: words(hue(153, 0.13)),
    "code-comment": muted,
    "code-keyword": words(hue(355, 0.18)),
    "code-string": words(hue(152, 0.12)),
    "code-number": words(hue(60, 0.12)),
    "code-function": words(hue(255, 0.15)),
    "code-type": words(hue(298, 0.17)),
  };
  const clear = (color: Color, opacity: number): string =>
    `rgb(${[color.r, color.g, color.b].map((channel) => Math.round(channel * 255)).join(" ")} / ${Math.round(opacity * 100)}%)`;
  const black = (opacity: number): string => clear(BLACK, opacity);
  return {
    ...Object.fromEntries(Object.entries(solid).map(([name, color]) => [`--ck-${name}`, toHex(color)])),
    "--ck-hover": clear(foreground, hover),
    "--ck-pressed": clear(foreground, pressed),
    "--ck-shadow-s": `0 1px 2px ${black(dark ? 0.4 : 0.06)}, 0 2px 8px ${black(dark ? 0.25 : 0.05)}`,
    "--ck-shadow-l": `0 4px 16px ${black(dark ? 0.4 : 0.08)}, 0 16px 48px ${black(dark ? 0.5 : 0.12)}`,
    "--ck-scrim": black(dark ? 0.56 : 0.32),
  };
}
