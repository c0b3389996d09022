/** Requests to a server that knows the reader by a client secret. */

import { ClientSecret, type GetClientSecret } from "./secret.ts";
import { type HttpRequest, type Send, sendPlain } from "./send.ts";

/**
 * Sends with the secret as a bearer token, and once more with a new secret after a 401; a second 401 is the answer.
 * `callback` gives the page's newest `getClientSecret`.
 */
export function sendHosted(callback: () => GetClientSecret): Send {
  const secret = new ClientSecret(callback);
  return async (url, request, onProgress) => {
    const ask = (bearer: string) => sendPlain(url, authorized(request, bearer), onProgress);
    const first = await unlessAborted(secret.get(), request.signal);
    const response = await ask(first);
    if (response.status !== 401) return response;
    await response.body?.cancel();
    return ask(await unlessAborted(secret.renew(first), request.signal));
  };
}

function authorized(request: HttpRequest, bearer: string): HttpRequest {
  return { ...request, headers: { ...request.headers, Authorization: `Bearer ${bearer}` } };
}

/** One request that is aborted stops waiting for the secret; others wait on. */
function unlessAborted<T>(promise: Promise<T>, signal?: AbortSignal | null): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
