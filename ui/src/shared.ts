/**
 * What chunks take from the script instead of bringing it again. A second Lit would draw apart from the first, and
 * strict pages refuse it its Trusted Types policy.
 */

export { html, nothing } from "lit";
export { guard } from "lit/directives/guard.js";
export { live } from "lit/directives/live.js";
export { imageAddress, imageHost, isSuspicious, targetOf } from "./markdown/address.ts";
export { openAsked } from "./markdown/ask.ts";
export { visible } from "./markdown/visible.ts";
export { copyToClipboard } from "./views/clipboard.ts";
export { icon } from "./views/icon.ts";
export { inputsOf } from "./views/structured_input.ts";
