/** The chat protocol over HTTP, whoever carries the requests. */

import { refusalOf } from "./refusal.ts";
import { jsonOf, type Send, sendPlain, successOf } from "./send.ts";
import type { RequestOptions, Transport } from "./transport.ts";

export interface Endpoint {
  /** The conversation endpoint. */
  url: string;
  /** Carries what goes to the server. What goes elsewhere is sent plainly. */
  send: Send;
  /** Sent as the only `Accept-Language`, as it is. */
  locale(): string;
  /** Whether it is known to heed `Idempotency-Key`; else none is sent. */
  honoursKeys: boolean;
  /** Whether a URL belongs to the server. */
  owns(url: string): boolean;
}

export function httpTransport({ url, send, locale, honoursKeys, owns }: Endpoint): Transport {
  const language = (): Record<string, string> => {
    const tag = locale();
    return /^[\w-]+$/.test(tag) ? { "Accept-Language": tag } : {};
  };

  async function post(type: string, params: unknown, { signal, key }: RequestOptions = {}): Promise<Response> {
    const headers = {
      "Content-Type": "application/json",
      ...language(),
      ...(key && honoursKeys && { "Idempotency-Key": key }),
    };
    const request = { method: "POST", headers, body: JSON.stringify({ type, params }), ...(signal && { signal }) };
    return successOf(send(url, request), signal);
  }

  return {
    honoursKeys,
    owns,

    async call(type, params, options) {
      return jsonOf(await post(type, params, options), options?.signal);
    },

    async stream(type, params, options) {
      const response = await post(type, params, options);
      // Somebody else's page, such as a login: as a stream it would be an answer without a word.
      if (response.headers.get("content-type")?.includes("html")) throw await refusalOf(response);
      return response;
    },

    async upload(target, init, onProgress) {
      const isOwn = owns(target);
      const headers = { ...Object.fromEntries(new Headers(init.headers)), ...(isOwn && language()) };
      const carry = isOwn ? send : sendPlain;
      return successOf(carry(target, { method: "POST", ...init, headers }, onProgress), init.signal);
    },
  };
}
