/** The list of what went over the wire: newest last, at most `ROWS`, each with its JSON when it is opened. */

import type { Sighting } from "./wire.ts";

const ROWS = 500;
const LONGEST_TEXT = 2_000;
const NEAR_END_PX = 40;

export class WireLog {
  #filter = "";
  /** What the next frame shows; a stream brings many events in one. */
  #waiting: Sighting[] = [];

  constructor(
    private readonly list: HTMLElement,
    private readonly scroller: HTMLElement,
  ) {}

  add(sighting: Sighting): void {
    if (this.#waiting.push(sighting) === 1) requestAnimationFrame(() => this.#show());
    // In a tab that nobody looks at there are no frames.
    if (this.#waiting.length > 2 * ROWS) this.#waiting = this.#waiting.slice(-ROWS);
  }

  #show(): void {
    const { scroller, list } = this;
    const follow = scroller.scrollTop + scroller.clientHeight > scroller.scrollHeight - NEAR_END_PX;
    const rows = this.#waiting.slice(-ROWS).map(rowOf);
    this.#waiting = [];
    for (const row of rows) row.hidden = !this.#shows(row);
    list.append(...rows);
    while (list.childElementCount > ROWS) list.firstElementChild?.remove();
    if (follow) scroller.scrollTop = scroller.scrollHeight;
  }

  clear(): void {
    this.#waiting.length = 0;
    this.list.replaceChildren();
  }

  /** Show only rows whose type has this text in it. */
  filter(text: string): void {
    this.#filter = text.trim().toLowerCase();
    for (const row of this.list.children) (row as HTMLElement).hidden = !this.#shows(row);
  }

  #shows(row: Element): boolean {
    return row.querySelector(".wire-type")?.textContent?.toLowerCase().includes(this.#filter) ?? false;
  }
}

function rowOf({ time, direction, type, failed, body }: Sighting): HTMLElement {
  const row = element("li", `wire-row wire-${direction}${failed ? " wire-failed" : ""}`);
  const line = body === undefined ? element("div", "wire-line") : element("summary", "wire-line");
  const arrow = element("span", "wire-arrow", direction === "sent" ? "↑" : "↓");
  arrow.role = "img";
  arrow.ariaLabel = direction;
  line.append(element("span", "wire-time", clock(time)), arrow, element("span", "wire-type", type));
  if (body === undefined) {
    row.append(line);
    return row;
  }
  const details = document.createElement("details");
  details.append(line);
  details.addEventListener("toggle", () => {
    if (details.childElementCount === 1) details.append(element("pre", "wire-body", pretty(body)));
  });
  row.append(details);
  return row;
}

function element(name: string, className: string, text = ""): HTMLElement {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function clock(time: Date): string {
  return `${time.toLocaleTimeString("en-GB")}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

/** Indented JSON. Long texts are cut, and secrets are not for screenshots. */
function pretty(body: unknown): string {
  const shown = (key: string, value: unknown) => {
    if (typeof value !== "string") return value;
    if (key === "client_secret") return `${value.slice(0, 6)}…`;
    return value.length > LONGEST_TEXT ? `${value.slice(0, LONGEST_TEXT)}… (${value.length} characters)` : value;
  };
  return JSON.stringify(body, shown, 2);
}
