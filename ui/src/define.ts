/** Makes the element known to the page, once, and tells those who wait for it. */

import { ChatKitElement } from "./element.ts";

const NAME = "openai-chatkit";

/** Dispatches `chatkit-script-loaded` or `chatkit-script-error` on `window`. Does nothing where there are no elements. */
export function define(): void {
  if (!globalThis.customElements) return;
  try {
    if (customElements.get(NAME) === undefined) customElements.define(NAME, ChatKitElement);
    window.dispatchEvent(new CustomEvent("chatkit-script-loaded"));
  } catch (error) {
    window.dispatchEvent(new CustomEvent("chatkit-script-error", { detail: error }));
    throw error;
  }
}
