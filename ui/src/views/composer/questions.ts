/** The questions that wait in the composer's place. Their form is loaded with the first of them. */

import { load } from "../../lazy.ts";
import { adoptMore } from "../../styles/index.ts";
import type { Context } from "../context.ts";
import type { StructuredInputForm } from "../input_form.ts";
import { pendingInput } from "../structured_input.ts";

const RETRY_AFTER_MS = 5_000;

export class Questions {
  #Form: typeof StructuredInputForm | null = null;
  #loading = false;
  /** The newest form, also while its answers are being sent: they are still there if that fails. */
  #form: StructuredInputForm | null = null;

  constructor(private readonly context: Context) {}

  /** The form of the questions that wait; null where none do, and until it is loaded. */
  form(): StructuredInputForm | null {
    const { running, entries } = this.context.conversation.state;
    const item = running ? null : pendingInput(entries);
    if (!item) return null;
    if (!this.#Form) void this.#load();
    else if (this.#form?.item.id !== item.id) this.#form = new this.#Form(this.context, item);
    return this.#form;
  }

  async #load(): Promise<void> {
    if (this.#loading) return;
    this.#loading = true;
    const { context } = this;
    try {
      const module = await load.inputForm();
      adoptMore(context.root, module.styles);
      this.#Form = module.StructuredInputForm;
      context.update();
    } catch {
      context.log("chunk.failed", { name: "input_form" });
      setTimeout(() => {
        this.#loading = false;
        context.update();
      }, RETRY_AFTER_MS);
    }
  }
}
