/** The package: importing it defines `<openai-chatkit>`. */

import { define } from "./define.ts";

export type * from "@openai/chatkit";
export { ChatKitElement, type ComposerValue, type Options, type ShownThread } from "./element.ts";

define();
