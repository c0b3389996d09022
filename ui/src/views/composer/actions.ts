/** The buttons of the composer: files and tools, mentions, the model, the microphone, send or stop. */

import type { ToolOption } from "@openai/chatkit";
import { html, nothing, type TemplateResult } from "lit";
import { acceptAttribute } from "../../core/accept.ts";
import type { Context } from "../context.ts";
import { icon } from "../icon.ts";
import { type MenuItem, menuButton } from "../menu.ts";
import type { Composer } from "./composer.ts";
import type { BuiltIn } from "./sources.ts";

const ATTACH = "attach";

export function actions(context: Context, composer: Composer, disabled: boolean): TemplateResult {
  return html`<div class="composer-actions" part="composer-actions" ?inert=${disabled}>
    ${composer.dictation?.render() ?? html`${start(context, composer)}${end(context, composer)}`}
    ${composer.attachments.enabled ? fileInput(context, composer) : nothing}
  </div>`;
}

function start(context: Context, composer: Composer): TemplateResult {
  const { words, options } = context;
  const tools = options.composer?.tools ?? [];
  const chosen = composer.chosen.tool;
  return html`<div class="composer-start">
    ${addButton(context, composer, tools)}
    ${
      composer.completion.canMention && options.entities?.showComposerMenu
        ? button("at", words.t("composer.mention"), () => composer.completion.mention())
        : nothing
    }
    ${tools.filter(({ pinned }) => pinned).map((tool) => pinnedTool(context, composer, tool))}
    ${chosen && !chosen.pinned ? toolChip(context, composer, chosen) : nothing}
  </div>`;
}

function addButton(
  context: Context,
  composer: Composer,
  tools: readonly ToolOption[],
): TemplateResult | typeof nothing {
  const { words } = context;
  const files = composer.attachments.enabled;
  const unpinned = tools.filter(({ pinned }) => !pinned);
  if (unpinned.length === 0)
    return files ? button("plus", words.t("composer.attach"), () => composer.pickFiles()) : nothing;
  const items: MenuItem[] = unpinned.map(({ id, label, icon }) => ({
    id: `tool:${id}`,
    label,
    icon,
    checked: composer.chosen.tool?.id === id,
    group: files ? words.t("composer.tools") : undefined,
  }));
  if (files) items.unshift({ id: ATTACH, label: words.t("composer.attach"), icon: "paperclip" });
  return menuButton(context, {
    id: "composer-add",
    label: words.t(files ? "composer.add" : "composer.tools"),
    icon: "plus",
    className: "composer-button",
    side: "above",
    items,
    onSelect(id) {
      if (id === ATTACH) {
        composer.pickFiles();
        return;
      }
      const toolId = id.slice("tool:".length);
      composer.chosen.chooseTool(composer.chosen.tool?.id === toolId ? null : toolId);
      composer.focus();
    },
  });
}

function pinnedTool({ words }: Context, composer: Composer, tool: ToolOption): TemplateResult {
  const pressed = composer.chosen.tool?.id === tool.id;
  const label = pressed ? (tool.shortLabel ?? tool.label) : tool.label;
  return html`<button
    type="button"
    class="composer-tool"
    aria-pressed=${pressed}
    aria-label=${words.t("composer.tool", { label })}
    @click=${() => composer.chosen.chooseTool(pressed ? null : tool.id)}
  >${icon(tool.icon)}<span>${label}</span></button>`;
}

function toolChip({ words }: Context, composer: Composer, tool: ToolOption): TemplateResult {
  return html`<button
    type="button"
    class="composer-tool composer-tool-chip"
    aria-label=${words.t("composer.clearTool", { label: tool.shortLabel ?? tool.label })}
    title=${words.t("composer.clearTool", { label: tool.label })}
    @click=${() => {
      composer.chosen.chooseTool(null);
      composer.focus();
    }}
  >${icon(tool.icon)}<span>${tool.shortLabel ?? tool.label}</span>${icon("close")}</button>`;
}

function end(context: Context, composer: Composer): TemplateResult {
  const { words } = context;
  return html`<div class="composer-end">
    ${modelButton(context, composer)}
    ${composer.canDictate ? button("mic", words.t("dictation.start"), () => void composer.dictate()) : nothing}
    ${sendButton(context, composer)}
  </div>`;
}

function modelButton(context: Context, composer: Composer): TemplateResult | typeof nothing {
  const { words, options } = context;
  const models = options.composer?.models ?? [];
  if (models.length === 0) return nothing;
  const label = composer.chosen.model?.label;
  return menuButton(context, {
    id: "composer-model",
    label: label ? words.t("composer.model", { label }) : words.t("composer.models"),
    content: html`<span class="composer-model-label">${label ?? words.t("composer.models")}</span>${icon("chevron-down")}`,
    className: "composer-model",
    side: "above",
    items: models.map((model) => ({
      id: model.id,
      label: model.label,
      description: model.description,
      disabled: model.disabled,
      checked: model.id === composer.chosen.model?.id,
    })),
    onSelect: (id) => composer.chosen.chooseModel(id),
  });
}

/** One button, which stops a turn while it runs: so that the focus stays on it. */
function sendButton({ words, conversation }: Context, composer: Composer): TemplateResult {
  const { running, allowCancel } = conversation.state;
  const stops = running && allowCancel;
  const label = words.t(stops ? "composer.stop" : "composer.send");
  return html`<button
    type="button"
    class=${stops ? "composer-send composer-stop" : "composer-send"}
    part=${stops ? "stop-button" : "send-button"}
    aria-label=${label}
    title=${label}
    aria-disabled=${stops || composer.canSend ? nothing : "true"}
    @click=${(event: MouseEvent) => {
      // A double click is one: its second half would stop what the first has sent.
      if (event.detail > 1) return;
      void (stops ? conversation.stop() : composer.submit());
      returnFocus(event, composer);
    }}
  >${icon(stops ? "stop" : "arrow-up")}</button>`;
}

/** To the field; a finger would bring up the keyboard by that, so only keys and fine pointers do. */
function returnFocus(event: MouseEvent, composer: Composer): void {
  if (event.detail === 0 || matchMedia("(pointer: fine)").matches) composer.focus();
}

function button(name: string, label: string, pressed: () => void): TemplateResult {
  return html`<button type="button" class="composer-button" aria-label=${label} title=${label} @click=${pressed}>${icon(name)}</button>`;
}

function fileInput({ options }: Context, composer: Composer): TemplateResult {
  return html`<input
    type="file"
    class="composer-files-input"
    multiple
    hidden
    accept=${acceptAttribute(options.composer?.attachments?.accept) || nothing}
    @change=${(event: Event) => {
      const input = event.target as HTMLInputElement;
      composer.attachments.add([...(input.files ?? [])]);
      input.value = "";
      composer.focus();
    }}
  />`;
}

/** The actions as "/" offers them. */
export function builtIns({ words }: Context, composer: Composer): BuiltIn[] {
  const { attachments, chosen, completion } = composer;
  const own: BuiltIn[] = chosen.choices.tools.map(({ id, label, icon }) => ({
    id: `tool:${id}`,
    label,
    icon,
    run: () => chosen.chooseTool(id),
  }));
  if (composer.canDictate)
    own.unshift({ id: "dictate", label: words.t("dictation.start"), icon: "mic", run: () => void composer.dictate() });
  if (completion.canMention)
    own.unshift({ id: "mention", label: words.t("composer.mention"), icon: "at", run: () => completion.mention() });
  if (attachments.enabled)
    own.unshift({ id: ATTACH, label: words.t("composer.attach"), icon: "paperclip", run: () => composer.pickFiles() });
  return own;
}
