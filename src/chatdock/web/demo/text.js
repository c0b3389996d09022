// Just enough structure for plain text to read well: paragraphs and fenced code. No HTML is ever made from it.

/** Splits text into `{kind: "text" | "code", text, language?}`; a fence that is still open runs to the end. */
export function blocksOf(text) {
  const blocks = [];
  let paragraph = [];
  let code = null;
  const endParagraph = () => {
    if (paragraph.length) blocks.push({ kind: "text", text: paragraph.join("\n") });
    paragraph = [];
  };
  for (const line of text.split(/\r\n?|\n/)) {
    const [, fence, language] = /^ {0,3}(`{3,}|~{3,})\s*([^`\s]*)[^`]*$/.exec(line) ?? [];
    if (code) {
      if (fence && !language && fence[0] === code.fence[0] && fence.length >= code.fence.length) {
        blocks.push({ kind: "code", text: code.lines.join("\n"), language: code.language });
        code = null;
      } else code.lines.push(line);
    } else if (fence) {
      endParagraph();
      code = { fence, language, lines: [] };
    } else if (line.trim()) paragraph.push(line);
    else endParagraph();
  }
  if (code) blocks.push({ kind: "code", text: code.lines.join("\n"), language: code.language });
  endParagraph();
  return blocks;
}

/** The link if it is one that a page may offer, else null. */
export function safeLink(url) {
  return /^https?:\/\//i.test(url ?? "") && URL.canParse?.(url) !== false ? url : null;
}

/** The address of an image if it comes from this server or is inline, else null. */
export function safeImage(url, origin) {
  if (/^data:image\//i.test(url ?? "")) return url;
  try {
    return url && new URL(url, origin).origin === origin ? url : null;
  } catch {
    return null;
  }
}
