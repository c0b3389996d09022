/** Files dragged over the chat. */

import { html, nothing, type TemplateResult } from "lit";
import type { Context } from "../context.ts";
import { icon } from "../icon.ts";

export class Drop {
  #over = false;

  constructor(
    private readonly context: Context,
    private readonly enabled: () => boolean,
    private readonly files: (files: File[]) => void,
  ) {}

  /**
   * For `dragenter`, `dragover`, `dragleave` and `drop` of the root. Files that are not wanted are kept from the page
   * too: the browser would leave it and open them.
   */
  readonly handle = (event: DragEvent): void => {
    const { dataTransfer } = event;
    if (!dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    const wanted = this.enabled();
    if (event.type === "drop") {
      this.#show(false);
      if (wanted) this.files([...dataTransfer.files]);
    } else if (event.type === "dragleave") {
      // The overlay covers the root: to leave it is to leave the root.
      if ((event.target as Element).closest(".composer-drop")) this.#show(false);
    } else {
      dataTransfer.dropEffect = wanted ? "copy" : "none";
      this.#show(wanted);
    }
  };

  /** The overlay, to be a child of the root. A pointer that moves drags nothing: the end of the drag went unseen. */
  render(): TemplateResult | typeof nothing {
    if (!this.#over) return nothing;
    return html`<div class="composer-drop" @pointermove=${() => this.#show(false)}><div class="composer-drop-text">${icon("paperclip")}${this.context.words.t("composer.drop")}</div></div>`;
  }

  #show(over: boolean): void {
    if (over === this.#over) return;
    this.#over = over;
    this.context.update();
  }
}
