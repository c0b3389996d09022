/** Styles as constructed sheets, which every element of the page shares. */

import answer from "./answer.css";
import composer from "./composer.css";
import dialog from "./dialog.css";
import header from "./header.css";
import history from "./history.css";
import icon from "./icon.css";
import menu from "./menu.css";
import message from "./message.css";
import preview from "./preview.css";
import shell from "./shell.css";
import source from "./source.css";
import start from "./start.css";
import structuredInput from "./structured_input.css";
import thread from "./thread.css";
import toast from "./toast.css";
import tokens from "./tokens.css";
import widget from "./widget.css";

/** What others build on comes first. */
const TEXTS = [
  ...[tokens, shell, icon, header, start, menu],
  ...[thread, message, source, answer, widget, preview],
  ...[composer, structuredInput, history, dialog, toast],
];

const sheets = new Map<string, CSSStyleSheet>();

/** The styles of the interface, in place of whatever the root has. */
export function adoptStyles(root: ShadowRoot): void {
  root.adoptedStyleSheets = [sheetOf(TEXTS.join("\n"))];
}

/** Styles that came later, in front of the others, which may build on them. */
export function adoptMore(root: ShadowRoot, text: string): void {
  const sheet = sheetOf(text);
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets = [sheet, ...root.adoptedStyleSheets];
}

function sheetOf(text: string): CSSStyleSheet {
  let sheet = sheets.get(text);
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    sheets.set(text, sheet);
  }
  return sheet;
}
