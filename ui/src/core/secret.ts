/** The client secret that the page hands out: asked for once for all, and again before it expires. */

import { ClientSecretError } from "./transport.ts";

const RENEW_BEFORE_MS = 30_000;
/** With a browser's clock that is far off secrets look expired or nearly so; then only a 401 renews them. */
const SHORTEST_LIFE_MS = 30_000;
const LONGEST_WAIT_MS = 30_000;

export type GetClientSecret = (current: string | null) => Promise<string>;

export class ClientSecret {
  readonly #callback: () => GetClientSecret;
  #current: string | null = null;
  #renewAt = 0;
  #asking: Promise<string> | null = null;

  /** `callback` gives the page's newest `getClientSecret`. */
  constructor(callback: () => GetClientSecret) {
    this.#callback = callback;
  }

  /** A secret that should work. Rejects with `ClientSecretError`, and then the next call asks the page again. */
  get(): Promise<string> {
    if (this.#asking) return this.#asking;
    if (this.#current !== null && Date.now() < this.#renewAt) return Promise.resolve(this.#current);
    this.#asking = this.#ask().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  /** Another secret than the one that was refused. Requests that were refused together share it. */
  renew(refused: string): Promise<string> {
    if (refused === this.#current) this.#renewAt = 0;
    return this.get();
  }

  async #ask(): Promise<string> {
    const getClientSecret = this.#callback();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tooLong = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`no answer within ${LONGEST_WAIT_MS / 1000} seconds`)),
        LONGEST_WAIT_MS,
      );
    });
    try {
      const secret: unknown = await Promise.race([getClientSecret(this.#current), tooLong]);
      if (typeof secret !== "string" || !/^[\x21-\x7e]+$/.test(secret)) throw new Error("it returned no client secret");
      this.#current = secret;
      this.#renewAt = renewalOf(secret);
      return secret;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new ClientSecretError(`api.getClientSecret failed: ${why}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}

function renewalOf(secret: string): number {
  const expiry = expiryOf(secret);
  const renewAt = expiry === null ? Number.POSITIVE_INFINITY : expiry - RENEW_BEFORE_MS;
  return renewAt - Date.now() < SHORTEST_LIFE_MS ? Number.POSITIVE_INFINITY : renewAt;
}

/** When a secret of the form `ek_<hex>_00<base64 of {"expires_at": seconds}>` expires, in Unix milliseconds. */
function expiryOf(secret: string): number | null {
  const [, tail] = /_00([^_]+)$/.exec(secret) ?? [];
  try {
    const { expires_at }: { expires_at: unknown } = JSON.parse(atob(tail ?? ""));
    return typeof expires_at === "number" ? expires_at * 1000 : null;
  } catch {
    return null;
  }
}
