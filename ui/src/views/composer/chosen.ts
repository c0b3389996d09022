/** The tool and the model that are chosen now, told to the page and to screen readers when they change. */

import type { ModelOption, ToolOption } from "@openai/chatkit";
import type { InferenceOptions } from "../../core/wire.ts";
import type { Context } from "../context.ts";
import {
  afterSending,
  type Choice,
  type Choices,
  inferenceOptions,
  modelOf,
  NO_CHOICE,
  stillOffered,
  toolOf,
} from "./choice.ts";

export class Chosen {
  #choice: Choice = NO_CHOICE;

  constructor(private readonly context: Context) {}

  get choice(): Choice {
    return this.#choice;
  }

  get choices(): Choices {
    const { tools = [], models = [] } = this.context.options.composer ?? {};
    return { tools, models };
  }

  get tool(): ToolOption | undefined {
    return toolOf(this.#choice, this.choices);
  }

  /** The default one where none was chosen. */
  get model(): ModelOption | undefined {
    return modelOf(this.#choice, this.choices);
  }

  get inferenceOptions(): InferenceOptions | undefined {
    return inferenceOptions(this.#choice, this.choices);
  }

  chooseTool(toolId: string | null): void {
    this.#become({ ...this.#choice, toolId });
  }

  chooseModel(modelId: string): void {
    const { context } = this;
    if (modelId === this.model?.id) return;
    this.#choice = { ...this.#choice, modelId };
    context.announce(context.words.t("composer.modelChosen", { label: this.model?.label ?? modelId }));
    context.update();
  }

  /** Chooses what the page names; returns a sentence about each that there is not. */
  set(toolId: string | null | undefined, modelId: string | undefined): string[] {
    const { tools, models } = this.choices;
    const problems: string[] = [];
    if (toolId === null || tools.some(({ id }) => id === toolId)) this.chooseTool(toolId ?? null);
    else if (toolId !== undefined) problems.push(`There is no tool "${toolId}".`);
    if (modelId === undefined) return problems;
    if (models.some(({ id, disabled }) => id === modelId && !disabled)) this.chooseModel(modelId);
    else problems.push(`There is no model "${modelId}" to choose.`);
    return problems;
  }

  /** What is gone from the options is no longer chosen. */
  optionsChanged(): void {
    this.#become(stillOffered(this.#choice, this.choices));
  }

  sent(): void {
    this.#become(afterSending(this.#choice, this.choices));
  }

  /** After a message was not sent: its tool again, unless another one was chosen since. */
  giveBack({ toolId }: Choice): void {
    if (!this.tool) this.#become(stillOffered({ ...this.#choice, toolId }, this.choices));
  }

  #become(choice: Choice): void {
    const { context } = this;
    const before = this.#choice;
    this.#choice = choice;
    if (choice.toolId === before.toolId) return;
    const { tool } = this;
    const gone = toolOf(before, this.choices);
    context.emit("chatkit.tool.change", { toolId: choice.toolId });
    if (tool) context.announce(context.words.t("composer.toolChosen", { label: tool.label }));
    else if (gone) context.announce(context.words.t("composer.toolCleared", { label: gone.label }));
    context.update();
  }
}
