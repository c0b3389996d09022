/** Where a panel in the top layer stands: beside its anchor, inside the viewport. */

const MARGIN = 8;
const GAP = 6;

/**
 * Puts `panel`, which is open and `position: fixed`, above or below `anchor`, its inline start edge at the anchor's,
 * moved as far as the viewport needs. `side` is taken where there is room for `wanted` pixels (default: the panel's
 * height), else the side with more; the panel's height is limited to what is there. It grows away from the anchor.
 */
export function place(panel: HTMLElement, anchor: Element, side: "above" | "below" = "below", wanted?: number): void {
  const at = anchor.getBoundingClientRect();
  panel.style.setProperty("max-block-size", "none");
  const size = panel.getBoundingClientRect();
  const room = { above: at.top - GAP - MARGIN, below: window.innerHeight - at.bottom - GAP - MARGIN };
  const other = side === "above" ? "below" : "above";
  const chosen = room[side] < (wanted ?? size.height) && room[other] > room[side] ? other : side;
  const rtl = getComputedStyle(anchor).direction === "rtl";
  const left = rtl ? at.right - size.width : at.left;
  const right = document.documentElement.clientWidth - MARGIN;
  panel.style.setProperty("max-block-size", `${Math.max(room[chosen], 0)}px`);
  panel.style.setProperty("top", chosen === "below" ? `${at.bottom + GAP}px` : "auto");
  panel.style.setProperty("bottom", chosen === "above" ? `${window.innerHeight - at.top + GAP}px` : "auto");
  panel.style.setProperty("left", `${Math.max(MARGIN, Math.min(left, right - size.width))}px`);
}

/** Calls `placed` now and whenever the page scrolls or changes its size. Returns what ends it. */
export function keepPlaced(placed: () => void): () => void {
  const ending = new AbortController();
  const options = { signal: ending.signal, passive: true };
  window.addEventListener("scroll", placed, { ...options, capture: true });
  window.addEventListener("resize", placed, options);
  placed();
  return () => ending.abort();
}
