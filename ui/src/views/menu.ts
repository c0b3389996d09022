/** A button that opens a menu: arrows, Home, End, the first letters, Esc; the focus comes back to the button. */

import { html, nothing, type TemplateResult } from "lit";
import { ifDefined } from "lit/directives/if-defined.js";
import type { Context } from "./context.ts";
import { icon } from "./icon.ts";
import { keepPlaced, place } from "./place.ts";

export interface MenuItem {
  id: string;
  label: string;
  description?: string | undefined;
  /** A name for `icon`. */
  icon?: string | undefined;
  disabled?: boolean | undefined;
  /** When given, the item is one of a choice (`menuitemradio`). */
  checked?: boolean | undefined;
  danger?: boolean | undefined;
  /** Neighbours with the same group stand together under its name. */
  group?: string | undefined;
}

export interface Menu {
  /** Unique in the root; the panel's is `${id}-menu`. */
  id: string;
  /** The button's accessible name; it holds the visible text of `content`, if there is any. */
  label: string;
  icon?: string | undefined;
  /** What the button shows besides its icon. */
  content?: TemplateResult | string | undefined;
  items: readonly MenuItem[];
  onSelect: (id: string) => void;
  className?: string | undefined;
  part?: string | undefined;
  /** Where the panel opens if there is room; default below. */
  side?: "above" | "below" | undefined;
}

/** The button and its panel, two siblings. The panel is in the top layer while it is open. */
export function menuButton(context: Context, menu: Menu): TemplateResult {
  const panelId = `${menu.id}-menu`;
  const opener = () => context.root.getElementById(menu.id) as HTMLElement;
  const choose = (panel: HTMLElement, item: HTMLElement) => {
    if (item.ariaDisabled === "true") return;
    close(panel, opener());
    menu.onSelect(item.dataset.id ?? "");
  };
  return html`<button
      type="button"
      id=${menu.id}
      class=${`menu-button ${menu.className ?? ""}`}
      part=${ifDefined(menu.part)}
      aria-label=${menu.label}
      title=${menu.content === undefined ? menu.label : nothing}
      aria-haspopup="menu"
      aria-expanded="false"
      aria-controls=${panelId}
      popovertarget=${panelId}
      @keydown=${(event: KeyboardEvent) => openByArrow(event, context.root.getElementById(panelId) as HTMLElement)}
    >${menu.icon ? icon(menu.icon) : nothing}${menu.content ?? nothing}</button
    ><div
      id=${panelId}
      class="menu"
      part="menu"
      role="menu"
      popover
      aria-label=${menu.label}
      @toggle=${(event: ToggleEvent) => toggled(event, opener(), menu.side)}
      @keydown=${(event: KeyboardEvent) => walk(event, opener())}
      @pointermove=${(event: PointerEvent) => itemOf(event)?.focus({ preventScroll: true })}
      @click=${(event: MouseEvent) => {
        const item = itemOf(event);
        if (item) choose(event.currentTarget as HTMLElement, item);
      }}
    >${grouped(menu.items).map(([group, items]) =>
      group === undefined
        ? items.map(menuItem)
        : html`<div class="menu-group" role="group" aria-label=${group}>
            <div class="menu-heading" aria-hidden="true">${group}</div>
            ${items.map(menuItem)}
          </div>`,
    )}</div>`;
}

function menuItem(item: MenuItem): TemplateResult {
  return html`<button
    type="button"
    class=${item.danger ? "menu-item menu-danger" : "menu-item"}
    role=${item.checked === undefined ? "menuitem" : "menuitemradio"}
    tabindex="-1"
    data-id=${item.id}
    aria-checked=${item.checked === undefined ? nothing : String(item.checked)}
    aria-disabled=${item.disabled ? "true" : nothing}
  >
    ${item.icon ? icon(item.icon) : nothing}
    <span class="menu-text">
      <span class="menu-label">${item.label}</span>
      ${item.description ? html`<span class="menu-description">${item.description}</span>` : nothing}
    </span>
    ${item.checked ? html`<span class="menu-check">${icon("check")}</span>` : nothing}
  </button>`;
}

/** Neighbours with the same group, in their order. */
export function grouped<T extends { group?: string | undefined }>(items: readonly T[]): [string | undefined, T[]][] {
  const groups: [string | undefined, T[]][] = [];
  for (const item of items) {
    const last = groups.at(-1);
    if (last && last[0] === item.group) last[1].push(item);
    else groups.push([item.group, [item]]);
  }
  return groups;
}

const placements = new WeakMap<HTMLElement, () => void>();

function toggled(event: ToggleEvent, opener: HTMLElement, side: Menu["side"]): void {
  const panel = event.currentTarget as HTMLElement;
  const open = event.newState === "open";
  opener.ariaExpanded = String(open);
  placements.get(panel)?.();
  if (!open) return;
  placements.set(
    panel,
    keepPlaced(() => {
      if (panel.isConnected) place(panel, opener, side);
      else placements.get(panel)?.();
    }),
  );
  if (!panel.matches(":focus-within")) {
    (panel.querySelector<HTMLElement>("[aria-checked=true]") ?? itemsOf(panel)[0])?.focus();
  }
}

function close(panel: HTMLElement, opener: HTMLElement): void {
  panel.hidePopover();
  opener.focus();
}

function openByArrow(event: KeyboardEvent, panel: HTMLElement): void {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  event.preventDefault();
  panel.showPopover();
  itemsOf(panel)
    .at(event.key === "ArrowDown" ? 0 : -1)
    ?.focus();
}

let typed = { text: "", at: 0 };

function walk(event: KeyboardEvent, opener: HTMLElement): void {
  const panel = event.currentTarget as HTMLElement;
  const items = itemsOf(panel);
  const here = items.findIndex((item) => item.matches(":focus"));
  if (event.key === "Escape") {
    event.preventDefault();
    event.stopPropagation();
    close(panel, opener);
  } else if (event.key === "Tab") {
    close(panel, opener);
  } else {
    const next = step(event.key, here, items.length) ?? lettered(event, here, items);
    if (next === undefined) return;
    event.preventDefault();
    items[next]?.focus();
  }
}

/** The index that an arrow, Home or End leads to in a list of `count`; undefined for other keys. */
export function step(key: string, here: number, count: number): number | undefined {
  if (count === 0) return undefined;
  if (key === "ArrowDown") return (here + 1) % count;
  if (key === "ArrowUp") return here <= 0 ? count - 1 : here - 1;
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  return undefined;
}

/** The next item that begins with the letters typed within half a second of each other. */
function lettered(event: KeyboardEvent, here: number, items: readonly HTMLElement[]): number | undefined {
  if (event.key.length !== 1 || event.key === " " || event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const text = (event.timeStamp - typed.at < 500 ? typed.text : "") + event.key.toLowerCase();
  typed = { text, at: event.timeStamp };
  const repeated = [...text].every((letter) => letter === text[0]);
  const wanted = repeated ? event.key.toLowerCase() : text;
  const from = repeated ? here + 1 : Math.max(here, 0);
  for (let offset = 0; offset < items.length; offset++) {
    const index = (from + offset) % items.length;
    const label = items[index]?.querySelector(".menu-label")?.textContent ?? "";
    if (label.toLowerCase().startsWith(wanted)) return index;
  }
  return undefined;
}

function itemsOf(panel: HTMLElement): HTMLElement[] {
  return [...panel.querySelectorAll<HTMLElement>(".menu-item")];
}

function itemOf(event: Event): HTMLElement | null {
  return (event.target as Element).closest<HTMLElement>(".menu-item");
}
