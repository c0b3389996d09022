/** Whether the reader is typing a mention or a command. Pure. */

export interface Trigger {
  kind: "@" | "/";
  /** The offset of the "@" or "/". */
  start: number;
  /** What follows it up to the caret: no white space. */
  query: string;
}

const MAX_QUERY = 80;
/** What may stand before the start of a word: scripts without spaces between words count too. */
const BEFORE = /[\s\uFFFC(\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;
const BREAKS = /[\s\uFFFC]/;

/** The mention or command that ends at the caret, of the kinds that are in use. */
export function triggerAt(text: string, caret: number, kinds: string): Trigger | null {
  for (let at = caret - 1; at >= 0 && caret - at <= MAX_QUERY; at--) {
    const character = text[at] as string;
    if (BREAKS.test(character)) return null;
    if (kinds.includes(character) && opensAt(text, at)) {
      return { kind: character as Trigger["kind"], start: at, query: text.slice(at + 1, caret) };
    }
  }
  return null;
}

/** What was typed since a list opened at `start`; null once that is left, or a word ends. */
export function queryFrom(text: string, start: number, caret: number): string | null {
  const query = text.slice(start, caret);
  return caret < start || BREAKS.test(query) || query.length > MAX_QUERY ? null : query;
}

/** Whether a mention or command that begins here would be one. */
export function opensAt(text: string, caret: number): boolean {
  return caret === 0 || BEFORE.test(text[caret - 1] as string);
}
