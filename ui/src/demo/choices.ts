/** What the reader of the page has chosen. It lives in the page's query, so that a reload and a link keep it. */

import type { ChatKitOptions, SupportedLocale, ThemeOption } from "@openai/chatkit";

export const SCHEMES = ["system", "light", "dark"] as const;
export const RADII = ["pill", "round", "soft", "sharp"] as const;
export const DENSITIES = ["compact", "normal", "spacious"] as const;
export const SIZES = [14, 15, 16, 17, 18] as const;

export interface Choices {
  /** null leaves it to the server. */
  readonly workflow: string | null;
  readonly theme: (typeof SCHEMES)[number];
  /** `#rrggbb`; null is the element's own. */
  readonly accent: string | null;
  readonly radius: (typeof RADII)[number];
  readonly density: (typeof DENSITIES)[number];
  readonly size: (typeof SIZES)[number];
  /** null is the browser's language. */
  readonly locale: string | null;
}

/** The choices in a query; what it leaves out or has wrong is the default. */
export function readChoices(query: string): Choices {
  const given = new URLSearchParams(query);
  const text = (name: string, pattern: RegExp) => pattern.exec(given.get(name) ?? "")?.[0] ?? null;
  const oneOf = <T extends string | number>(name: string, values: readonly T[], fallback: T): T =>
    values.find((value) => String(value) === given.get(name)) ?? fallback;
  return {
    workflow: given.get("workflow") || null,
    theme: oneOf("theme", SCHEMES, "system"),
    accent: text("accent", /^#[\da-f]{6}$/),
    radius: oneOf("radius", RADII, "pill"),
    density: oneOf("density", DENSITIES, "normal"),
    size: oneOf("size", SIZES, 16),
    locale: text("locale", /^[A-Za-z]{2,3}(-[A-Za-z\d]{2,8})*$/),
  };
}

/** The query of these choices, `?` included, defaults left out; "" when nothing is left. */
export function writeChoices(choices: Choices): string {
  const fallback = readChoices("");
  const chosen = Object.entries(choices).filter(([name, value]) => value !== fallback[name as keyof Choices]);
  const query = new URLSearchParams(chosen.map(([name, value]) => [name, String(value)])).toString();
  return query && `?${query}`;
}

export function schemeOf(choices: Choices): "light" | "dark" {
  if (choices.theme !== "system") return choices.theme;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** The element's options for these choices; only what differs from its defaults. */
export function lookOf(choices: Choices, colorScheme: "light" | "dark"): Pick<ChatKitOptions, "theme" | "locale"> {
  const theme: ThemeOption = {
    colorScheme,
    ...(choices.radius !== "pill" && { radius: choices.radius }),
    ...(choices.density !== "normal" && { density: choices.density }),
    ...(choices.size !== 16 && { typography: { baseSize: choices.size } }),
    ...(choices.accent && { color: { accent: { primary: choices.accent, level: 1 } } }),
  };
  return {
    theme: Object.keys(theme).length > 1 ? theme : colorScheme,
    ...(choices.locale && { locale: choices.locale as SupportedLocale }),
  };
}
