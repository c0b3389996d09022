/** What a reader is told about a request that failed. */

import { ApiError, NetworkError } from "./transport.ts";

/**
 * A code that views have words for: `network`, `unauthorized`, `rate_limit`, `not_found`, `stream.error`, `broken_off`;
 * with a message, which is then the server's own word for it.
 */
export interface Failure {
  code: string;
  message?: string;
}

export function failureOf(error: unknown): Failure {
  if (error instanceof NetworkError) return { code: "network" };
  if (!(error instanceof ApiError)) return { code: "stream.error" };
  if (error.status === 401 || error.status === 403) return { code: "unauthorized" };
  if (error.status === 429) return { code: "rate_limit" };
  if (error.status === 404) return { code: "not_found" };
  return error.status < 500 ? { code: error.code ?? "refused", message: error.message } : { code: "stream.error" };
}

/** An `error` event of a stream, or an end that says no more than that it failed. */
export class StreamError extends Error {
  override readonly name = "StreamError";
  constructor(
    readonly code: string,
    message?: string | null,
  ) {
    super(message || `The answer failed (${code}).`);
  }
}
