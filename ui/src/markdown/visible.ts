/** Text without characters that hide something: what a reader sees is what is there. */

/** Emoji are made of such characters: flags of regions, keycaps, and people joined to families. */
const FLAG = "\u{1F3F4}[\u{E0061}-\u{E007A}]{2}[\u{E0030}-\u{E0039}\u{E0061}-\u{E007A}]{1,3}\u{E007F}";
const FACE = "\\p{ExtPict}[\\uFE0E\\uFE0F]?\\p{EMod}?";
const EMOJI = `${FLAG}|[0-9#*]\\uFE0F?\\u20E3|${FACE}(?:\\u200D${FACE})*`;

/** Scripts in which a (non-)joiner after a letter changes how the word looks. */
const JOINING = [
  "Arab",
  "Beng",
  "Deva",
  "Gujr",
  "Guru",
  "Knda",
  "Mlym",
  "Mong",
  "Nkoo",
  "Orya",
  "Sinh",
  "Syrc",
  "Taml",
  "Telu",
];
const SHAPED = `[${JOINING.map((script) => `\\p{sc=${script}}`).join("")}][\\u200C\\u200D]`;
/** A variant of an ideograph. */
const VARIANT = "\\p{Ideo}[\\uFE00-\\uFE0F\\u{E0100}-\\u{E01EF}]";

/** Control characters, tags, those of no width, and those that turn the direction of writing. */
const HIDDEN =
  "[\\x00-\\x08\\x0B-\\x1F\\x7F-\\x9F\\u00AD\\u034F\\u061C\\u115F\\u1160\\u17B4\\u17B5\\u180B-\\u180F\\u200B-\\u200F" +
  "\\u202A-\\u202E\\u2060-\\u206F\\u3164\\uFE00-\\uFE0F\\uFEFF\\uFFA0\\uFFF9-\\uFFFB\\u{1D173}-\\u{1D17A}\\u{E0000}-\\u{E0FFF}]";

const SUSPECT = new RegExp(HIDDEN, "u");
const PATTERN = new RegExp(`(${EMOJI}|${SHAPED}|${VARIANT})|${HIDDEN}+`, "gu");

/** Harmless alone: soft hyphen, joiner of marks, direction marks, break opportunity, word joiner, emoji style. */
const HARMLESS: ReadonlySet<string> = new Set([..."\u00AD\u034F\u061C\u200B\u200E\u200F\u2060\uFE0E\uFE0F"]);

/**
 * Leaves out tag characters (but those of flags), characters that turn the direction of writing, control characters
 * and runs of characters of no width. Linear in the text's length.
 */
export function visible(text: string): string {
  if (!SUSPECT.test(text)) return text;
  return text.replace(PATTERN, (match, kept: string | undefined) => (kept || HARMLESS.has(match) ? match : ""));
}
