/** Links. Where one leads is checked before it becomes one, shown before it is followed, and asked about if in doubt. */

import { html, type TemplateResult } from "lit";
import type { Tokens } from "marked";
import { isSuspicious, targetOf } from "./address.ts";
import { openAsked } from "./ask.ts";
import { decode } from "./entities.ts";
import type { MarkdownHost, Scene } from "./scene.ts";
import { visible } from "./visible.ts";

const MAX_TITLE = 300;

/** `content` is what the link shows, `text` the same as plain text. A destination that is not allowed leaves the content. */
export function link(token: Tokens.Link, text: string, content: unknown, { host, words }: Scene): unknown {
  const target = targetOf(token.autolink ? token.href : decode(token.href));
  const title = (address: string) => {
    const given = token.title ? `${visible(decode(token.title))}\n` : "";
    return given + (address.length > MAX_TITLE ? `${address.slice(0, MAX_TITLE)}…` : address);
  };
  switch (target?.kind) {
    case "deeplink":
      return deeplink(target.name, target.data, content, host);
    case "fragment":
      return html`<a class="md-link" href=${target.href} title=${title(target.href)}>${content}</a>`;
    case "mail":
    case "phone":
      return html`<a class="md-link" rel="noopener noreferrer nofollow" referrerpolicy="no-referrer"
        href=${target.href} title=${title(target.href)}>${content}</a>`;
    case "web": {
      const { url } = target;
      const ask = isSuspicious(url, text) ? (event: Event) => void openAsked(event, url.href, host) : null;
      // The note must follow the text without a space that would be underlined.
      return html`<a class="md-link" target="_blank" rel="noopener noreferrer nofollow" referrerpolicy="no-referrer"
        href=${url.href} title=${title(url.href)} @click=${ask} @auxclick=${ask}>${content}<span
        class="ck-hidden md-note"> (${words.t("link.external")})</span></a>`;
    }
    default:
      return content;
  }
}

/** No address that a browser could follow, so only a click or Enter does anything. */
function deeplink(name: string, data: Record<string, string>, content: unknown, host: MarkdownHost): TemplateResult {
  const follow = (): void => host.onDeeplink(name, data);
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === "Enter") follow();
  };
  return html`<a class="md-link" role="link" tabindex="0" @click=${follow} @keydown=${onKey}>${content}</a>`;
}
