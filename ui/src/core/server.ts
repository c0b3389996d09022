/** Which server the `api` option names, and the way to it. */

import { sendHosted } from "./hosted.ts";
import { httpTransport } from "./http.ts";
import type { Api, CustomApi, HostedApi, UploadStrategy } from "./options.ts";
import { type Send, sendPlain } from "./send.ts";
import type { Fetch, Transport } from "./transport.ts";

const CONVERSATION = "/v1/chatkit/conversation";

export interface TransportSettings {
  /** The option in force, read at every request, so that the page's newest functions are called. */
  api(): Api;
  /** BCP 47, read at every request. */
  locale(): string;
  /** Of the script; in hosted mode the server without `api.url`. */
  scriptOrigin: string;
}

/**
 * The transport to the server that `api` names now. It stays good as long as `sameServer` holds.
 *
 * Hosted: bearer secrets and `Idempotency-Key`. Custom: through `api.fetch`, and no `Idempotency-Key`, because browsers
 * would withhold the whole request from a server elsewhere that does not allow the header. `domainKey` is not sent: which
 * pages may call is the server's list of origins.
 */
export function createTransport({ api, locale, scriptOrigin }: TransportSettings): Transport {
  const url = conversationUrl(api(), scriptOrigin);
  const hosted = isHosted(api());
  const send = hosted
    ? sendHosted(() => (api() as HostedApi).getClientSecret)
    : sendCustom(() => (api() as CustomApi).fetch as Fetch | undefined);
  const owns = (other: string) =>
    originOf(other) === originOf(url) || (!hosted && other === directUrl(api().uploadStrategy));
  return httpTransport({ url, send, locale, honoursKeys: hosted, owns });
}

/** Whether the transport for `a` serves `b` too; other functions alone need no new one. */
export function sameServer(a: Api, b: Api): boolean {
  return isHosted(a) === isHosted(b) && a.url === b.url;
}

/**
 * How files get to the server. Hosted servers take them beside the conversation (`/v1/chatkit/files`) unless the page
 * says otherwise; null is a custom server without `uploadStrategy`, which takes none.
 */
export function uploadStrategyOf(api: Api, scriptOrigin: string): UploadStrategy | null {
  if (api.uploadStrategy) return api.uploadStrategy;
  if (!isHosted(api)) return null;
  return { type: "direct", uploadUrl: conversationUrl(api, scriptOrigin).replace(/[^/]*$/, "files") };
}

function isHosted(api: Api): api is HostedApi {
  return "getClientSecret" in api;
}

function conversationUrl(api: Api, scriptOrigin: string): string {
  return api.url ?? scriptOrigin + CONVERSATION;
}

function directUrl(strategy: UploadStrategy | undefined): string | null {
  return strategy?.type === "direct" ? strategy.uploadUrl : null;
}

function originOf(url: string): string | null {
  try {
    return new URL(url, globalThis.document?.baseURI).origin;
  } catch {
    return null;
  }
}

/** Called without `this`, which the browser's `fetch` insists on. */
function sendCustom(pageFetch: () => Fetch | undefined): Send {
  return async (url, request, onProgress) => {
    const fetch = pageFetch();
    if (!fetch) return sendPlain(url, request, onProgress);
    onProgress?.(null);
    return fetch(url, request);
  };
}
