/** How requests reach the server: hosted with client secrets, or custom with the page's own `fetch`. */

import type { JsonOperations, StreamingOperations } from "./wire.ts";

export type Fetch = (input: string, init?: RequestInit) => Promise<Response>;

/** 0 to 1, or null: it is under way and nobody knows how far. */
export type Progress = (fraction: number | null) => void;

export interface RequestOptions {
  /** What it aborts with is what the request rejects with. */
  signal?: AbortSignal | undefined;
  /** Makes a repeated request the same request (`Idempotency-Key`). */
  key?: string | undefined;
}

export interface Transport {
  /**
   * Whether to this server a repeated request with the same key is the same request. Then a request that was never
   * answered may be sent again; elsewhere it could be stored twice.
   */
  readonly honoursKeys: boolean;
  /** A JSON operation; rejects with `ApiError`, or with `NetworkError` where nothing was answered. */
  call<T extends keyof JsonOperations>(
    type: T,
    params: JsonOperations[T]["params"],
    options?: RequestOptions,
  ): Promise<JsonOperations[T]["result"]>;
  /** Begins a streaming operation; resolves to the response once its headers are there. */
  stream<T extends keyof StreamingOperations>(
    type: T,
    params: StreamingOperations[T],
    options?: RequestOptions,
  ): Promise<Response>;
  /**
   * A request to the uploader, with the page's `fetch` or the secret where the URL is its own, with neither elsewhere.
   * Rejects as `call` does. `onProgress` gets the fraction that was sent, null where the browser does not tell.
   */
  upload(url: string, init: RequestInit, onProgress?: Progress): Promise<Response>;
  /** Whether a URL is the server's own. */
  owns(url: string): boolean;
}

/** What the server said instead of doing it. `status` is the HTTP status. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  constructor(
    readonly status: number,
    message: string,
    readonly code: string | null = null,
    /** A wait that it asked for, in milliseconds. */
    readonly retryAfterMs: number | null = null,
  ) {
    super(message);
  }
}

/** Nothing was answered: no network, no server, a rule of the browser (CORS, CSP), or no client secret. See `cause`. */
export class NetworkError extends Error {
  override readonly name: string = "NetworkError";
}

/** The page's `getClientSecret` gave no secret, so nothing could be asked. */
export class ClientSecretError extends NetworkError {
  override readonly name = "ClientSecretError";
}
