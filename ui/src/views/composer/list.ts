/** The list of mentions or commands above the composer, and what it makes of the field for a screen reader. */

import { html, nothing, type TemplateResult } from "lit";
import type { Context } from "../context.ts";
import { icon } from "../icon.ts";
import { grouped } from "../menu.ts";
import { keepPlaced, place } from "../place.ts";
import type { OpenList, Suggestion, Suggestions } from "./suggestions.ts";

const LIST_ID = "composer-list";
/** With less room above the composer the list opens below it. */
const WANTED_PX = 200;

const optionId = (index: number) => `composer-option-${index}`;

export function suggestionList(context: Context, suggestions: Suggestions): TemplateResult {
  const { words } = context;
  const { open } = suggestions;
  return html`<div
    id=${LIST_ID}
    class="composer-list"
    popover="manual"
    role="listbox"
    aria-label=${words.t(open?.kind === "@" ? "composer.mentions" : "composer.commands")}
    aria-busy=${open?.status === "searching" ? "true" : nothing}
    @mousedown=${(event: Event) => event.preventDefault()}
  >${open ? groups(open, suggestions) : nothing}${open ? state(context, open) : nothing}</div>`;
}

function groups({ suggestions: all, active }: OpenList, suggestions: Suggestions): TemplateResult[] {
  let index = 0;
  return grouped(all).map(([group, members]) => {
    const options = members.map((suggestion) => option(suggestion, index++, active, suggestions));
    if (group === undefined) return html`${options}`;
    return html`<div role="group" aria-label=${group}>
      <div class="menu-heading" aria-hidden="true">${group}</div>
      ${options}
    </div>`;
  });
}

function option(suggestion: Suggestion, index: number, active: number, suggestions: Suggestions): TemplateResult {
  const { label, description } = suggestion;
  return html`<div
    id=${optionId(index)}
    class="composer-option"
    role="option"
    aria-selected=${index === active}
    @click=${() => suggestions.pick(index)}
  >
    ${suggestion.icon ? icon(suggestion.icon) : nothing}
    <span class="menu-text">
      <span class="menu-label">${label}</span>
      ${description ? html`<span class="menu-description">${description}</span>` : nothing}
    </span>
  </div>`;
}

function state({ words }: Context, { status, suggestions }: OpenList): TemplateResult | typeof nothing {
  if (status === "failed") return html`<div class="composer-list-state">${words.t("composer.searchFailed")}</div>`;
  if (suggestions.length > 0) return nothing;
  const text = words.t(status === "searching" ? "composer.searching" : "composer.noResults");
  return html`<div class="composer-list-state">${text}</div>`;
}

/** The attributes of the field: a text box, or a combo box while a list is open. */
export function fieldAttributes(open: OpenList | null): Record<string, string | null> {
  return {
    role: open ? "combobox" : "textbox",
    "aria-multiline": open ? null : "true",
    "aria-autocomplete": open ? "list" : null,
    "aria-haspopup": open ? "listbox" : null,
    "aria-expanded": open ? "true" : null,
    "aria-controls": open ? LIST_ID : null,
    "aria-activedescendant": open && open.suggestions.length > 0 ? optionId(open.active) : null,
  };
}

/** Opens or closes the panel as `open` says, once it is drawn, and keeps it beside `anchor`. */
export class ListPanel {
  #leave: (() => void) | null = null;

  show(root: ShadowRoot, anchor: Element | null, open: OpenList | null): void {
    const panel = root.getElementById(LIST_ID);
    if (!panel || !anchor || !open) {
      this.#leave?.();
      this.#leave = null;
      panel?.hidePopover();
      return;
    }
    const placed = () => place(panel, anchor, "above", WANTED_PX);
    if (this.#leave) {
      placed();
    } else {
      panel.showPopover();
      this.#leave = keepPlaced(placed);
    }
    panel.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }
}
