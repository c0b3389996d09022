/** The box that everything is drawn into: the region's name, language, direction and theme. */

import type { Options } from "../core/options.ts";
import type { Words } from "../locales/words.ts";
import { loadFonts } from "../styles/fonts.ts";
import { applyTheme, deriveTheme } from "../styles/theme.ts";

export function createFrame(root: ShadowRoot): HTMLElement {
  const frame = document.createElement("div");
  frame.className = "ck";
  frame.setAttribute("role", "region");
  root.append(frame);
  return frame;
}

/** Brings the frame in line with the options. `failed` hears of what of a theme cannot be used. */
export function dressFrame(frame: HTMLElement, options: Options, words: Words, failed: (error: Error) => void): void {
  frame.setAttribute("aria-label", options.frameTitle || words.t("app.name"));
  frame.lang = words.locale;
  frame.dir = words.direction;
  const theme = deriveTheme(options.theme);
  applyTheme(frame, theme);
  for (const name of theme.refused) failed(new Error(`theme.${name} cannot be used.`));
  if (typeof options.theme === "object") loadFonts(options.theme.typography?.fontSources ?? [], failed);
}
