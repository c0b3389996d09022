/** What drawing a text needs besides the text. */

import type { Words } from "../locales/words.ts";
import type { Policy } from "./address.ts";
import type { Chunks } from "./chunks.ts";
import type { Placement } from "./markers.ts";

/** The element around the text. A view's `Context` with a few things more is one. */
export interface MarkdownHost {
  readonly words: Words;
  /** One for the whole element. */
  readonly chunks: Chunks;
  update(): void;
  announce(text: string, assertive?: boolean): void;
  /** A `chatkit-link://name?key=value` was followed. */
  onDeeplink(name: string, data: Record<string, string>): void;
  /**
   * Asks before a link that hides where it leads is opened. True opens it; whoever gives nothing back opens it or not
   * by itself.
   */
  confirmLink(url: string): Promise<boolean> | undefined;
}

export interface Scene {
  readonly host: MarkdownHost;
  readonly words: Words;
  readonly policy: Policy;
  /** The level of the text's outermost headings. */
  readonly headingBase: number;
  /** The text is not whole, so references may still change. */
  readonly draft: boolean;
  /** Null where no markers are. */
  readonly marks: Placement | null;
}
