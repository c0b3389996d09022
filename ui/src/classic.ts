/** The classic script: its one effect is that `<openai-chatkit>` is defined. */

import { define } from "./define.ts";

define();
