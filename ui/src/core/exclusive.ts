/** One at a time, over all tabs of an origin. */

/**
 * Runs `work` while nobody else works under that name. `waited` says that somebody did before, so that there may be
 * nothing left to do.
 */
export type Exclusively = (name: string, work: (waited: boolean) => Promise<void>) => Promise<void>;

/** With the browser's locks; where there are none (no secure context, no browser) nobody is waited for. */
export const exclusively: Exclusively = async (name, work) => {
  const locks = globalThis.navigator?.locks;
  let hasBegun = false;
  const begin = (waited: boolean) => {
    hasBegun = true;
    return work(waited);
  };
  try {
    await locks?.request(name, { ifAvailable: true }, (lock) => lock && begin(false));
    if (!hasBegun) await locks?.request(name, () => begin(true));
  } catch (error) {
    if (hasBegun) throw error;
  }
  // A frame that may not use locks.
  if (!hasBegun) await work(false);
};
