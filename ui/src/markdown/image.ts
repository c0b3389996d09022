/** Images, and what stands in the place of those that may not be loaded. */

import { html, nothing } from "lit";
import type { Tokens } from "marked";
import { icon } from "../views/icon.ts";
import { imageAddress, imageHost } from "./address.ts";
import { decode } from "./entities.ts";
import { plainInline } from "./plain.ts";
import type { Scene } from "./scene.ts";
import type { Token } from "./tokens.ts";
import { visible } from "./visible.ts";

/** While the text grows, a reference may be half an address, so only images with their address beside them are loaded. */
export function image(token: Tokens.Image, { draft, policy, words }: Scene): unknown {
  const alt = plainInline(token.tokens as Token[]);
  const href = decode(token.href);
  const address = draft && !token.raw.endsWith(")") ? null : imageAddress(href, policy);
  if (!address) {
    return html`<span class="md-blocked">${icon("image-off")}<span>${alt && `${alt} · `}${words.t("answer.blockedImage", { host: imageHost(href) })}</span></span>`;
  }
  const title = token.title ? visible(decode(token.title)) : nothing;
  return html`<img class="md-image" referrerpolicy="no-referrer" loading="lazy" decoding="async" alt=${alt} title=${title} src=${address}>`;
}
