/** Markdown as text without marks, to be read aloud or to stand where there is only text. */

import { imageHost } from "./address.ts";
import { decode } from "./entities.ts";
import { withoutComments } from "./html.ts";
import { lex } from "./lexer.ts";
import type { Token } from "./tokens.ts";
import { visible } from "./visible.ts";

/** Blocks, list items and rows of tables are a line each. A text that may go on is closed as on the screen. */
export function plainText(text: string, streaming = false): string {
  const { tokens } = lex(text.replace(/\r\n?/g, "\n"), { breaks: true, streaming });
  return tokens.map(plainBlock).filter(Boolean).join("\n");
}

function plainBlock(token: Token): string {
  switch (token.type) {
    case "space":
    case "def":
    case "hr":
    case "checkbox":
      return "";
    case "list":
      return token.items
        .map((item, n) => {
          const number = token.ordered ? `${Number(token.start) + n}. ` : "";
          return (
            number +
            item.tokens
              .map((child) => plainBlock(child as Token))
              .filter(Boolean)
              .join("\n")
          );
        })
        .join("\n");
    case "blockquote":
      return token.tokens
        .map((child) => plainBlock(child as Token))
        .filter(Boolean)
        .join("\n");
    case "table":
      return [token.header, ...token.rows]
        .map((row) => row.map((cell) => plainInline(cell.tokens as Token[])).join(", "))
        .join("\n");
    case "code":
    case "math":
      return visible(token.text);
    case "html":
      return visible(withoutComments(token.text)).trim();
    default:
      return "tokens" in token && token.tokens ? plainInline(token.tokens as Token[]) : visible(decode(token.raw));
  }
}

export function plainInline(tokens: readonly Token[]): string {
  return tokens.map(plainToken).join("");
}

function plainToken(token: Token): string {
  switch (token.type) {
    case "br":
      return "\n";
    case "checkbox":
      return "";
    case "escape":
    case "codespan":
    case "math":
      return visible(token.text);
    case "html":
      return visible(withoutComments(token.text));
    case "image":
      return plainInline(token.tokens as Token[]) || imageHost(token.href);
    case "link":
      if (token.autolink) return visible(token.text);
      return plainInline(token.tokens as Token[]);
    default:
      return "tokens" in token && token.tokens ? plainInline(token.tokens as Token[]) : visible(decode(token.raw));
  }
}
