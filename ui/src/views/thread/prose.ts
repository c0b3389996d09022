/** Markdown in the thread: a view for each text, what may be loaded, and where links lead. */

import { html, type TemplateResult } from "lit";
import { load } from "../../lazy.ts";
import { imageAddress, isSuspicious, type Policy, targetOf } from "../../markdown/address.ts";
import { openAsked } from "../../markdown/ask.ts";
import type { Marker } from "../../markdown/markers.ts";
import type { MarkdownHost } from "../../markdown/scene.ts";
import type { MarkdownView } from "../../markdown/view.ts";
import { visible } from "../../markdown/visible.ts";
import { adoptMore } from "../../styles/index.ts";
import type { Context } from "../context.ts";
import { confirmLink } from "../dialog.ts";
import { headingLevel } from "./scope.ts";

type Markdown = Awaited<ReturnType<typeof load.markdown>>;

const RETRY_AFTER_MS = 5_000;

/** Until the chunk with Markdown is there, which is asked for at once, texts are shown as they came. */
export class Prose {
  readonly #context: Context;
  #markdown: { readonly module: Markdown; readonly host: MarkdownHost } | null = null;
  #retryAt = 0;
  readonly #views = new Map<string, MarkdownView>();
  #policy: Policy = { imageHosts: [] };
  #revision = 0;

  constructor(context: Context) {
    this.#context = context;
    void this.#load();
  }

  /** Another number when texts look different though they are the same: colours formulas or Markdown itself have been loaded. */
  get revision(): number {
    return this.#revision;
  }

  /** Forgets the texts of a conversation that was left. */
  reset(): void {
    this.#views.clear();
  }

  /** A text by a key of its own, so that what was drawn of it stays while it grows. */
  render(key: string, text: string, { streaming = false, markers = [] as readonly Marker[] } = {}): TemplateResult {
    const markdown = this.#loaded();
    if (!markdown) return html`<div class="md md-plain">${visible(text)}</div>`;
    let view = this.#views.get(key);
    if (!view) {
      view = new markdown.module.MarkdownView(markdown.host);
      this.#views.set(key, view);
    }
    const headingBase = Math.min(6, headingLevel(this.#context) + 1);
    return view.render(text, { streaming, markers, headingBase, policy: this.#imagePolicy() });
  }

  /** A text that is one line, such as a disclaimer. */
  line(text: string): TemplateResult {
    const markdown = this.#loaded();
    return markdown ? markdown.module.inlineMarkdown(text, markdown.host) : html`${visible(text)}`;
  }

  /** A short text from outside that is no Markdown, without characters that hide something. */
  plain(text: string): string {
    return visible(text);
  }

  /** What a text says, to be read aloud; nothing yet where it could read otherwise once Markdown is there. */
  spoken(text: string, streaming: boolean): string {
    return this.#markdown?.module.plainText(text, streaming) ?? (streaming ? "" : visible(text));
  }

  /** The link to a source: where it leads, and what asks first where that is not what `title` says. Null where it may not lead. */
  link(url: string, title: string): { href: string; ask: ((event: Event) => void) | null } | null {
    const target = targetOf(url);
    if (target?.kind !== "web") return null;
    const { href } = target.url;
    return {
      href,
      ask: isSuspicious(target.url, title)
        ? (event) => void openAsked(event, href, { confirmLink: this.#confirmLink })
        : null,
    };
  }

  /** The address of an image from the thread's domains, the server, the page or its own data; null for any other. */
  image(address: string): string | null {
    const allowed = imageAddress(address, this.#imagePolicy());
    if (allowed) return allowed;
    const url = URL.parse(address, document.baseURI);
    if (!url || !/^https?:$/.test(url.protocol)) return null;
    return url.origin === location.origin || this.#context.transport.owns(url.href) ? url.href : null;
  }

  #loaded() {
    if (!this.#markdown && performance.now() > this.#retryAt) void this.#load();
    return this.#markdown;
  }

  async #load(): Promise<void> {
    const context = this.#context;
    this.#retryAt = Number.POSITIVE_INFINITY;
    try {
      const module = await load.markdown();
      const host: MarkdownHost = {
        get words() {
          return context.words;
        },
        chunks: new module.Chunks(load, (name, data) => context.log(name, data)),
        update: this.#drawAnew,
        announce: (text, assertive) => context.announce(text, assertive),
        onDeeplink: (name, data) => context.emit("chatkit.deeplink", { name, data }),
        confirmLink: this.#confirmLink,
      };
      adoptMore(context.root, module.styles);
      this.#markdown = { module, host };
      this.#drawAnew();
    } catch {
      this.#retryAt = performance.now() + RETRY_AFTER_MS;
      context.log("chunk.failed", { name: "markdown" });
    }
  }

  readonly #drawAnew = (): void => {
    this.#revision++;
    this.#context.update();
  };

  readonly #confirmLink = (url: string): Promise<boolean> => confirmLink(this.#context, url);

  /** The same object while the domains are the same, whatever else of the thread changes. */
  #imagePolicy(): Policy {
    const domains: unknown = this.#context.conversation.state.thread?.allowed_image_domains;
    const imageHosts = Array.isArray(domains) ? domains.filter((domain) => typeof domain === "string") : [];
    if (imageHosts.join() !== this.#policy.imageHosts.join()) this.#policy = { imageHosts };
    return this.#policy;
  }
}
