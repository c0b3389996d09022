/** Which tool and which model are chosen. Pure. */

import type { ModelOption, ToolOption } from "@openai/chatkit";
import type { InferenceOptions } from "../../core/wire.ts";

export interface Choice {
  readonly toolId: string | null;
  /** What the reader or the page chose; null is the default. */
  readonly modelId: string | null;
}

export const NO_CHOICE: Choice = { toolId: null, modelId: null };

/** What can be chosen now. */
export interface Choices {
  tools: readonly ToolOption[];
  models: readonly ModelOption[];
}

export function toolOf(choice: Choice, { tools }: Choices): ToolOption | undefined {
  return tools.find((tool) => tool.id === choice.toolId);
}

/** The chosen model, else the default one, else the first that can be chosen. */
export function modelOf(choice: Choice, { models }: Choices): ModelOption | undefined {
  const open = models.filter((model) => !model.disabled);
  return open.find((model) => model.id === choice.modelId) ?? open.find((model) => model.default) ?? open[0];
}

/** The choice without what is gone from the options. */
export function stillOffered(choice: Choice, choices: Choices): Choice {
  const toolId = toolOf(choice, choices)?.id ?? null;
  const modelId = choices.models.some((model) => model.id === choice.modelId && !model.disabled)
    ? choice.modelId
    : null;
  return toolId === choice.toolId && modelId === choice.modelId ? choice : { toolId, modelId };
}

/** After a message was sent only a persistent tool stays chosen. */
export function afterSending(choice: Choice, choices: Choices): Choice {
  return toolOf(choice, choices)?.persistent ? choice : { ...choice, toolId: null };
}

/** What the message tells the server; undefined when there is nothing to tell. */
export function inferenceOptions(choice: Choice, choices: Choices): InferenceOptions | undefined {
  const tool = toolOf(choice, choices);
  const model = modelOf(choice, choices);
  if (!tool && !model) return undefined;
  return { ...(tool ? { tool_choice: { id: tool.id } } : {}), ...(model ? { model: model.id } : {}) };
}
