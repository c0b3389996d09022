/** Colours as numbers: reading what a page wrote, OKLab arithmetic, and contrast as WCAG 2 measures it. */

/** sRGB, each channel 0 to 1. */
export interface Color {
  readonly r: number;
  readonly g: number;
  readonly b: number;
}

export const BLACK: Color = { r: 0, g: 0, b: 0 };
export const WHITE: Color = { r: 1, g: 1, b: 1 };

const clamp = (value: number): number => Math.min(1, Math.max(0, value));

/** One of the 256 steps that are written out, so that a contrast is that of the colour on the screen. */
const step = (channel: number): number => Math.round(clamp(channel) * 255) / 255;

const toLinear = (channel: number): number =>
  channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
const fromLinear = (channel: number): number =>
  channel <= 0.0031308 ? channel * 12.92 : 1.055 * channel ** (1 / 2.4) - 0.055;

type Lab = readonly [l: number, a: number, b: number];

/** OKLab after Björn Ottosson; `l` is 0 to 1. */
function toLab({ r, g, b }: Color): Lab {
  const [red, green, blue] = [toLinear(r), toLinear(g), toLinear(b)];
  const l = Math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue);
  const m = Math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue);
  const s = Math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

/** What the screen cannot show is clipped. */
function fromLab([lightness, a, b]: Lab): Color {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const channel = (linear: number): number => step(fromLinear(clamp(linear)));
  return {
    r: channel(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    g: channel(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    b: channel(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  };
}

/** Lightness and chroma as CSS's `oklch()` takes them, the hue in degrees. */
export function oklch(lightness: number, chroma: number, hue: number): Color {
  const angle = (hue * Math.PI) / 180;
  return fromLab([clamp(lightness), chroma * Math.cos(angle), chroma * Math.sin(angle)]);
}

/** `amount` of 1 is all of `other`. */
export function mix(color: Color, other: Color, amount: number): Color {
  const [from, to] = [toLab(color), toLab(other)];
  const at = (index: 0 | 1 | 2): number => from[index] + (to[index] - from[index]) * amount;
  return fromLab([at(0), at(1), at(2)]);
}

/** The same colour, lighter or darker. */
export function withLightness(color: Color, change: (lightness: number) => number): Color {
  const [l, a, b] = toLab(color);
  return fromLab([clamp(change(l)), a, b]);
}

/** The same lightness with some more of a hue. */
export function tinted(color: Color, chroma: number, hue: number): Color {
  const [l, a, b] = toLab(color);
  const angle = (hue * Math.PI) / 180;
  return fromLab([l, a + chroma * Math.cos(angle), b + chroma * Math.sin(angle)]);
}

/** Relative luminance, 0 to 1. */
export const luminance = ({ r, g, b }: Color): number =>
  0.2126 * toLinear(r) + 0.7152 * toLinear(g) + 0.0722 * toLinear(b);

/** 1 to 21 */
export function contrast(one: Color, other: Color): number {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

/** What is seen where `color` with this opacity lies on `ground`. Browsers blend gamma-encoded channels. */
export function over(color: Color, opacity: number, ground: Color): Color {
  const channel = (top: number, bottom: number): number => step(top * opacity + bottom * (1 - opacity));
  return { r: channel(color.r, ground.r), g: channel(color.g, ground.g), b: channel(color.b, ground.b) };
}

const byte = (channel: number): string =>
  Math.round(channel * 255)
    .toString(16)
    .padStart(2, "0");

/** `#rrggbb` */
export const toHex = ({ r, g, b }: Color): string => `#${byte(r)}${byte(g)}${byte(b)}`;

/**
 * Reads hex, `rgb()`, `hsl()`, `oklch()` and, in a browser, every other colour that its CSS knows; null for anything
 * else. What shines through is laid over `ground`.
 */
export function parseColor(text: unknown, ground: Color = WHITE): Color | null {
  if (typeof text !== "string") return null;
  const value = text.trim().toLowerCase();
  return parseHex(value, ground) ?? parseFunction(value, ground) ?? parseNamed(value, ground);
}

function parseHex(value: string, ground: Color): Color | null {
  if (!/^#([\da-f]{3,4}|[\da-f]{6}|[\da-f]{8})$/.test(value)) return null;
  const digits = value.length < 6 ? value.slice(1).replace(/./g, "$&$&") : value.slice(1);
  const [r = 0, g = 0, b = 0, opacity = 1] = (digits.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16) / 255);
  return over({ r, g, b }, opacity, ground);
}

function parseFunction(value: string, ground: Color): Color | null {
  const match = /^(rgb|hsl|oklch)a?\(([^()]*)\)$/.exec(value);
  const parts = match?.[2]?.split(/[\s,/]+/).filter(Boolean) ?? [];
  if (!match || parts.length < 3 || parts.length > 4) return null;
  const read = (index: number, percent: number): number => {
    const [, digits, unit] =
      /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(%|deg|turn|rad|grad)?$/.exec(parts[index] ?? "") ?? [];
    const factor = { "%": percent / 100, turn: 360, rad: 180 / Math.PI, grad: 0.9 }[unit ?? ""] ?? 1;
    return digits === undefined ? Number.NaN : Number(digits) * factor;
  };
  const opacity = parts.length === 4 ? clamp(read(3, 1)) : 1;
  const color = {
    rgb: () => ({ r: clamp(read(0, 255) / 255), g: clamp(read(1, 255) / 255), b: clamp(read(2, 255) / 255) }),
    hsl: () => hsl(read(0, 360), clamp(read(1, 100) / 100), clamp(read(2, 100) / 100)),
    oklch: () => oklch(read(0, 1), read(1, 0.4), read(2, 360)),
  }[match[1] as "rgb" | "hsl" | "oklch"]();
  return Number.isNaN(color.r + color.g + color.b + opacity) ? null : over(color, opacity, ground);
}

function hsl(hue: number, saturation: number, lightness: number): Color {
  const channel = (offset: number): number => {
    const k = (((offset + hue / 30) % 12) + 12) % 12;
    return lightness - saturation * Math.min(lightness, 1 - lightness) * Math.max(-1, Math.min(k - 3, 9 - k, 1));
  };
  return { r: channel(0), g: channel(8), b: channel(4) };
}

/** A canvas turns every colour that the browser knows into hex or `rgba()`; `var()` and the like leave it untouched. */
function parseNamed(value: string, ground: Color): Color | null {
  if (typeof CSS === "undefined" || /[;{}]|url\(/.test(value) || !CSS.supports("color", value)) return null;
  const canvas = document.createElement("canvas").getContext("2d");
  if (!canvas) return null;
  const [first, second] = ["#000000", "#ffffff"].map((before) => {
    canvas.fillStyle = before;
    canvas.fillStyle = value;
    return canvas.fillStyle as string;
  });
  if (first !== second || first === undefined) return null;
  return parseHex(first, ground) ?? parseFunction(first, ground);
}
