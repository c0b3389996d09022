/** Web fonts that the page's theme names. They load into the document: a shadow root cannot declare fonts. */

import type { FontObject } from "@openai/chatkit";

/** What has been asked for on this page, so that a font loads once for all elements and themes. */
const asked = new Set<string>();

/** Loads fonts that are not there yet; `failed` hears of each that does not come. */
export function loadFonts(sources: readonly FontObject[], failed: (error: Error) => void): void {
  for (const font of sources) {
    const key = JSON.stringify(font);
    if (asked.has(key)) continue;
    asked.add(key);
    try {
      const face = new FontFace(font.family, `url("${escaped(new URL(font.src, document.baseURI).href)}")`, {
        weight: String(font.weight ?? "normal"),
        style: font.style ?? "normal",
        display: font.display ?? "swap",
        unicodeRange: font.unicodeRange ?? "U+0-10FFFF",
      });
      document.fonts.add(face);
      face.load().catch((cause) => failed(new Error(`The font ${font.family} could not be loaded.`, { cause })));
    } catch (cause) {
      failed(new Error(`The font ${font.family} cannot be used.`, { cause }));
    }
  }
}

const escaped = (url: string): string => url.replace(/["\\\n\r\f]/g, (char) => `\\${char.charCodeAt(0).toString(16)} `);
