/** What a screen reader is told. Each kind of region is there twice, by turns, so that the same words are read again. */

/** At most one polite write in this time; what comes meanwhile is read together. */
const PAUSE_MS = 1_000;

export class Announcer {
  readonly #regions: Record<"status" | "alert", HTMLElement[]>;
  #waiting: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #last = Number.NEGATIVE_INFINITY;

  constructor(frame: HTMLElement) {
    const region = (role: "status" | "alert"): HTMLElement => {
      const node = document.createElement("div");
      node.className = "ck-hidden";
      node.setAttribute("role", role);
      frame.append(node);
      return node;
    };
    this.#regions = { status: [region("status"), region("status")], alert: [region("alert"), region("alert")] };
  }

  say(text: string, assertive = false): void {
    if (!text) return;
    if (assertive) {
      this.#write("alert", text);
      return;
    }
    this.#waiting.push(text);
    this.#timer ??= setTimeout(() => this.#flush(), Math.max(0, this.#last + PAUSE_MS - performance.now()));
  }

  destroy(): void {
    clearTimeout(this.#timer);
  }

  #flush(): void {
    this.#timer = undefined;
    this.#last = performance.now();
    this.#write("status", this.#waiting.splice(0).join(" "));
  }

  #write(role: "status" | "alert", text: string): void {
    const [next, other] = this.#regions[role];
    if (!next || !other) return;
    other.textContent = "";
    next.textContent = text;
    this.#regions[role] = [other, next];
  }
}
