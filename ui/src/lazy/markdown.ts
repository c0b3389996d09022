/** Markdown, which the first answer needs. */

export { Chunks } from "../markdown/chunks.ts";
export { plainText } from "../markdown/plain.ts";
export { inlineMarkdown, MarkdownView } from "../markdown/view.ts";
export { default as styles } from "../styles/markdown.css";
