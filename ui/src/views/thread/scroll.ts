/** Where the thread stands in its viewport: at the newest when it opens, at the reader's message when one is sent. */

import type { Context } from "../context.ts";

/** So near the end still counts as there. */
const NEAR_PX = 72;
/** Older messages are asked for before the reader is at the first. */
const AHEAD_PX = 800;
/** How long a glide takes for two thirds of its way. */
const GLIDE_MS = 70;

export class Scroll {
  readonly #context: Context;
  #scroller: HTMLElement | null = null;
  #end: IntersectionObserver | null = null;
  #size: ResizeObserver | null = null;
  #isAtEnd = true;
  /** The reader went up, away from what is being written, and has not come back to the end. */
  #isAway = false;
  /** Something was being written at the last drawing: what ends it is followed too. */
  #wasRunning = false;
  /** Where the view stood when it was last looked at, and how high its content was. */
  #top = 0;
  #height = 0;
  /** Held at the end while what is there still gets its size, until the reader moves. */
  #isHeld = false;
  /** Pixels between the viewport's top and the content's end before older entries come. */
  #fromEnd: number | null = null;
  #gliding: number | null = null;
  #next: "end" | "turn" | null = null;
  /** The first entry when older ones were asked for. */
  #askedAt: string | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Whether the newest can be seen. */
  get isAtEnd(): boolean {
    return this.#isAtEnd;
  }

  /** After the next drawing: at the end, or the last turn's message at the top. */
  goTo(place: "end" | "turn"): void {
    this.#next = place;
  }

  /** Older entries will be above the others after the next drawing: nothing may move. */
  keep(): void {
    if (this.#scroller) this.#fromEnd = this.#scroller.scrollHeight - this.#scroller.scrollTop;
  }

  /** Goes to the end now. */
  toEnd(): void {
    const scroller = this.#scroller;
    if (!scroller) return;
    this.moved();
    this.#isAway = false;
    this.#place(scroller, scroller.scrollHeight);
    this.#isHeld = !this.#context.conversation.state.running;
  }

  /** The reader scrolls, or is about to. */
  readonly moved = (event?: Event): void => {
    this.#isHeld = false;
    this.#stopGlide();
    if (event && goesUp(event) && this.#scroller && this.#scroller.scrollTop > 0) this.#isAway = true;
  };

  /** Asks for older entries when the first is near: once, so that what failed is tried again by the reader alone. */
  readonly scrolled = (): void => {
    const { conversation } = this.#context;
    const { older, loading, entries } = conversation.state;
    const scroller = this.#scroller;
    if (!scroller) return;
    this.#look(scroller);
    if (fromEnd(scroller) < NEAR_PX) this.#isAway = false;
    if (scroller.scrollTop >= AHEAD_PX) return;
    if (!older.available || older.loading || loading || entries[0]?.id === this.#askedAt) return;
    this.#askedAt = entries[0]?.id;
    void conversation.loadOlder();
  };

  afterRender(root: ParentNode): void {
    this.#attach(root.querySelector<HTMLElement>(".thread-scroller"));
    const scroller = this.#scroller;
    if (!scroller) return;
    if (this.#fromEnd !== null) {
      this.#place(scroller, scroller.scrollHeight - this.#fromEnd);
      this.#fromEnd = null;
      this.scrolled();
    }
    if (this.#next === "end") {
      this.toEnd();
      this.scrolled();
    } else if (this.#next === "turn") this.#toLastTurn(scroller);
    else this.#follow(scroller);
    this.#next = null;
    this.#wasRunning = this.#context.conversation.state.running;
  }

  destroy(): void {
    this.#attach(null);
  }

  /** Sees whether somebody scrolled: an observer, or an event, tells only after the next drawing, which would pull back. */
  #look(scroller: HTMLElement): void {
    const { scrollTop, scrollHeight } = scroller;
    // Content that shrinks is no reader: it leaves the view at the end.
    if (scrollTop !== this.#top && fromEnd(scroller) > 1) {
      if (scrollTop < this.#top) this.#isAway = true;
      // Neither wheel nor key, but a search in the page, or a screen reader.
      if (scrollHeight === this.#height) this.moved();
    }
    this.#top = scrollTop;
    this.#height = scrollHeight;
  }

  #follow(scroller: HTMLElement): void {
    const { options, conversation } = this.#context;
    if (options.thread?.autoScroll !== true || !(conversation.state.running || this.#wasRunning)) return;
    this.#look(scroller);
    if (this.#isAway) return;
    // A glide to a turn that does not fill the viewport ends at the end.
    if (this.#gliding !== null && fromEnd(scroller) - distanceToLastTurn(scroller) <= 1) return;
    this.toEnd();
  }

  /** Scrolls; it is not the reader who does. */
  #place(scroller: HTMLElement, top: number): void {
    scroller.scrollTop = top;
    this.#top = scroller.scrollTop;
    this.#height = scroller.scrollHeight;
  }

  #toLastTurn(scroller: HTMLElement): void {
    this.#look(scroller);
    this.moved();
    this.#isAway = false;
    const distance = distanceToLastTurn(scroller);
    const isFar = Math.abs(distance) > 2 * scroller.clientHeight;
    if (isFar || matchMedia("(prefers-reduced-motion: reduce)").matches)
      this.#place(scroller, scroller.scrollTop + distance);
    else this.#glide(scroller, performance.now());
  }

  /** A smooth scroll of the browser's own ends as soon as the answer below begins to grow. */
  #glide(scroller: HTMLElement, before: number): void {
    this.#gliding = requestAnimationFrame((now) => {
      this.#look(scroller);
      if (this.#gliding === null) return;
      this.#gliding = null;
      const distance = distanceToLastTurn(scroller);
      const top = this.#top;
      const part = distance * (1 - Math.exp((before - now) / GLIDE_MS));
      this.#place(
        scroller,
        top + (Math.abs(distance) < 2 ? distance : Math.sign(distance) * Math.max(1, Math.abs(part))),
      );
      if (Math.abs(distance) >= 2 && this.#top !== top) this.#glide(scroller, now);
    });
  }

  #stopGlide(): void {
    if (this.#gliding !== null) cancelAnimationFrame(this.#gliding);
    this.#gliding = null;
  }

  #attach(scroller: HTMLElement | null): void {
    if (scroller === this.#scroller) return;
    this.moved();
    this.#scroller = scroller;
    this.#end?.disconnect();
    this.#size?.disconnect();
    if (!scroller) return;
    this.#end = new IntersectionObserver(
      ([entry]) => {
        if (!entry || this.#isAtEnd === entry.isIntersecting) return;
        this.#isAtEnd = entry.isIntersecting;
        this.#context.update();
      },
      { root: scroller, rootMargin: `${NEAR_PX}px 0px` },
    );
    this.#end.observe(scroller.querySelector(".thread-end")!);
    let height = scroller.clientHeight;
    this.#size = new ResizeObserver(() => {
      const taken = height - scroller.clientHeight;
      height = scroller.clientHeight;
      if (this.#isHeld) this.toEnd();
      // What takes room below, such as a longer draft, covers no end that was in view.
      else if (taken > 0 && fromEnd(scroller) - taken <= 1) this.#place(scroller, scroller.scrollTop + taken);
    });
    this.#size.observe(scroller);
    this.#size.observe(scroller.querySelector(".thread-column")!);
  }
}

/** Pixels below what is seen. */
function fromEnd(scroller: HTMLElement): number {
  return scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
}

/** Whether what was written next would pull the reader back; of a finger it shows only when it has moved. */
function goesUp(event: Event): boolean {
  if (event instanceof WheelEvent) return event.deltaY < 0;
  if (event instanceof KeyboardEvent) return ["ArrowUp", "PageUp", "Home"].includes(event.key);
  return event.type === "touchmove";
}

/** How far the last turn's top is below the viewport's, in pixels. */
function distanceToLastTurn(scroller: HTMLElement): number {
  const turn = Array.from(scroller.querySelectorAll(".thread-turn")).at(-1);
  return turn ? turn.getBoundingClientRect().top - scroller.getBoundingClientRect().top : 0;
}
