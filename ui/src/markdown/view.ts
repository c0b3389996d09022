/** Markdown on the screen: one view for each text, which may grow. No HTML is made from strings; every node is a template's. */

import { html, type TemplateResult } from "lit";
import { guard } from "lit/directives/guard.js";
import type { Policy } from "./address.ts";
import { blockWithMarks } from "./block.ts";
import { type Block, Blocks } from "./blocks.ts";
import { inlineLine } from "./inline.ts";
import { lexInline } from "./lexer.ts";
import { deal, type Mark, type Marker, Placement, place } from "./markers.ts";
import type { MarkdownHost, Scene } from "./scene.ts";

export interface MarkdownState {
  /** The text may go on. */
  streaming?: boolean;
  /** What may be loaded. Without it, images of no host. */
  policy?: Policy;
  /** The level of the outermost headings, 1 to 6; default 3. The text's own levels follow from there without jumps. */
  headingBase?: number;
  /** A single newline is a line break, as people who chat expect; default true. */
  breaks?: boolean;
  markers?: readonly Marker[];
}

const NO_IMAGES: Policy = { imageHosts: [] };
const NO_MARKS: readonly Mark[] = [];

export class MarkdownView {
  readonly #host: MarkdownHost;
  readonly #blocks = new Blocks();

  constructor(host: MarkdownHost) {
    this.#host = host;
  }

  /**
   * The text so far. What was only added to costs what was added; a text that is another is done anew. Blocks that are
   * finished are not drawn again while `policy.imageHosts` is the same array and no marker is in them.
   */
  render(
    text: string,
    { streaming = false, policy = NO_IMAGES, headingBase = 3, breaks = true, markers = [] }: MarkdownState,
  ): TemplateResult {
    const source = text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
    const blocks = this.#blocks.update(source, { streaming, breaks });
    const marks = markers.length > 0 ? deal(place(text, markers), blocks) : [];
    const { chunks, words } = this.#host;
    const { code, math } = chunks.loaded;
    const draw = (block: Block, own: readonly Mark[]) => () =>
      blockWithMarks(block.token, {
        host: this.#host,
        words,
        policy,
        headingBase,
        draft: block.draft,
        marks: own.length > 0 ? new Placement(block.token.raw, own) : null,
      });
    return html`<div class="md">${blocks.map((block, n) => {
      const own = marks[n]?.length ? marks[n] : NO_MARKS;
      return guard([block, own, policy.imageHosts, headingBase, words, code, math], draw(block, own));
    })}</div>`;
  }
}

/** A text that is one line, such as a disclaimer: emphasis, code and links, and no blocks. */
export function inlineMarkdown(text: string, host: MarkdownHost): TemplateResult {
  const scene: Scene = { host, words: host.words, policy: NO_IMAGES, headingBase: 3, draft: false, marks: null };
  return html`<span class="md md-line">${inlineLine(lexInline(text, { breaks: true, streaming: false }), text, scene)}</span>`;
}
