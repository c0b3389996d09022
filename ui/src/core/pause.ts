/** Waiting between tries. */

/** Resolves after `ms`; rejects with the signal's reason when that aborts. Injected, so that tests need not wait. */
export type Pause = (ms: number, signal?: AbortSignal) => Promise<void>;

/** Ends early when the browser is online again. */
export const pause: Pause = (ms, signal) =>
  new Promise((resolve, reject) => {
    const end = (settle: () => void) => () => {
      clearTimeout(timer);
      globalThis.removeEventListener?.("online", wake);
      signal?.removeEventListener("abort", stop);
      settle();
    };
    const wake = end(resolve);
    const stop = end(() => reject(signal?.reason));
    const timer = setTimeout(wake, ms);
    globalThis.addEventListener?.("online", wake);
    signal?.addEventListener("abort", stop);
    if (signal?.aborted) stop();
  });

/** Half a second, doubled each time up to ten, less up to a quarter so that clients do not come back together. */
export function backoff(attempt: number, random: () => number = Math.random): number {
  return Math.min(10_000, 500 * 2 ** (attempt - 1)) * (1 - random() / 4);
}
