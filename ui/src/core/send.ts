/** How one request leaves the page, and what its answer or its failure becomes. */

import { refusalOf } from "./refusal.ts";
import { ApiError, NetworkError, type Progress } from "./transport.ts";

/** Headers are a plain object with the usual capitals, because pages spread them in a `fetch` of their own. */
export interface HttpRequest extends RequestInit {
  method: string;
  headers: Record<string, string>;
}

/** Resolves to whatever was answered and rejects as `fetch` does. */
export type Send = (url: string, request: HttpRequest, onProgress?: Progress) => Promise<Response>;

/**
 * The browser's own ways: `fetch`, or `XMLHttpRequest` where progress is wanted, which `fetch` cannot tell. Both are
 * looked up when they are used: pages replace them.
 */
export const sendPlain: Send = async (url, request, onProgress) => {
  if (onProgress && globalThis.XMLHttpRequest) {
    let begun = false;
    try {
      return await sendWithProgress(url, request, (fraction) => {
        begun = true;
        onProgress(fraction);
      });
    } catch (error) {
      // Listening for progress makes browsers ask first (CORS preflight), and not every server answers that.
      if (begun || request.signal?.aborted) throw error;
    }
  }
  onProgress?.(null);
  return globalThis.fetch(url, request);
};

/**
 * The answer, if it is a success. Rejects with `ApiError` for any other, with `NetworkError` where there is none, and
 * with the signal's reason once that has aborted.
 */
export async function successOf(answer: Promise<Response>, signal?: AbortSignal | null): Promise<Response> {
  let response: Response;
  try {
    response = await answer;
  } catch (error) {
    throw failureOf(error, signal);
  }
  // A page's own `fetch` may give anything.
  if (typeof response?.status !== "number") throw new NetworkError("The page's fetch gave no Response.");
  if (!response.ok) throw await refusalOf(response);
  return response;
}

/** The JSON of an answer, unchecked; an empty body is an empty object. Rejects as `successOf` does. */
export async function jsonOf<T>(response: Response, signal?: AbortSignal | null): Promise<T> {
  const text = await response.text().catch((error) => {
    throw failureOf(error, signal);
  });
  try {
    return JSON.parse(text.trim() || "{}");
  } catch {
    throw new ApiError(response.status, "The server did not answer with JSON.");
  }
}

function failureOf(error: unknown, signal?: AbortSignal | null): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof NetworkError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new NetworkError(`The server could not be reached: ${why}`, { cause: error });
}

function sendWithProgress(url: string, { method, headers, body, signal }: HttpRequest, onProgress: Progress) {
  return new Promise<Response>((resolve, reject) => {
    signal?.throwIfAborted();
    const xhr = new XMLHttpRequest();
    const stop = () => xhr.abort();
    xhr.open(method, url);
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    xhr.upload.onprogress = (event) =>
      onProgress(event.lengthComputable && event.total ? event.loaded / event.total : null);
    xhr.onload = () => resolve(responseOf(xhr));
    xhr.onerror = () => reject(new TypeError("network error"));
    xhr.onabort = () => reject(signal?.reason);
    xhr.onloadend = () => signal?.removeEventListener("abort", stop);
    signal?.addEventListener("abort", stop);
    xhr.send(body as XMLHttpRequestBodyInit);
  });
}

function responseOf(xhr: XMLHttpRequest): Response {
  const lines = xhr.getAllResponseHeaders().trim().split("\r\n").filter(Boolean);
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const isBare = [204, 205, 304].includes(xhr.status);
  return new Response(isBare ? null : xhr.responseText, { status: xhr.status, statusText: xhr.statusText, headers });
}
