/** The modules that are loaded when a text first needs them: colours for code, and formulas. */

import type { Lazy } from "../lazy.ts";

type Loaders = Pick<Lazy, "code" | "math">;
type Name = keyof Loaders;
type Drawn = { update(): void };
type Loaded = { [N in Name]?: Awaited<ReturnType<Loaders[N]>> };

export class Chunks {
  readonly #load: Loaders;
  readonly #log: (name: string, data: Record<string, unknown>) => void;
  readonly #loaded: Loaded = {};
  /** Who is drawn again, by what is being loaded; a chunk that failed stays in here, so that it is not tried again. */
  readonly #waiting = new Map<Name, Set<Drawn>>();

  constructor(load: Loaders, log: (name: string, data: Record<string, unknown>) => void) {
    this.#load = load;
    this.#log = log;
  }

  get loaded(): Readonly<Loaded> {
    return this.#loaded;
  }

  /** The module, if it is there. Else it is loaded, and `drawn` updated once it is; never if it cannot be loaded. */
  need<N extends Name>(name: N, drawn: Drawn): Loaded[N] {
    const loaded = this.#loaded[name];
    if (!loaded) {
      const waiting = this.#waiting.get(name);
      if (waiting) waiting.add(drawn);
      else {
        this.#waiting.set(name, new Set([drawn]));
        void this.#fetch(name);
      }
    }
    return loaded;
  }

  async #fetch<N extends Name>(name: N): Promise<void> {
    try {
      this.#loaded[name] = (await this.#load[name]()) as Loaded[N];
    } catch {
      this.#log("chunk.failed", { name });
      return;
    }
    for (const drawn of this.#waiting.get(name) ?? []) drawn.update();
    this.#waiting.delete(name);
  }
}
