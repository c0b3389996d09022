/** Sources of a message: the markers in its text, the list below it, and what a card tells about one. */

import { html, nothing, type TemplateResult } from "lit";
import type { EntitySource, Source } from "../../core/wire.ts";
import { icon } from "../icon.ts";
import { type Citation, type Cited, hostOf } from "./citations.ts";
import { subject } from "./preview.ts";
import { clickEntity, entityOf, type Scope } from "./scope.ts";

/** What stands in the text where something is cited: one marker, however many sources it is for. */
export function marker(scope: Scope, { cited }: Citation): TemplateResult {
  const { words } = scope.context;
  const label = words.t("answer.source", {
    number: cited.map(({ number }) => number).join(", "),
    title: words.list(cited.map(({ source }) => source.title)),
  });
  const only = cited.length === 1 ? cited[0]!.source : null;
  const about = {
    title: label,
    body: () =>
      html`${only?.type === "entity" ? details(scope, only) : cited.map(({ source, number }) => row(scope, source, number, true))}`,
    entity: only?.type === "entity" ? entityOf(only) : undefined,
  };
  const link = only?.type === "url" ? scope.prose.link(only.url, only.title) : null;
  if (link) {
    return html`<a
      class="source-marker"
      href=${link.href}
      target="_blank"
      rel="noopener noreferrer nofollow"
      referrerpolicy="no-referrer"
      aria-label=${`${label} (${words.t("link.external")})`}
      @click=${link.ask}
      @auxclick=${link.ask}
      ${subject(scope.preview, about)}
    >${cited[0]!.number}</a>`;
  }
  const active = only?.type === "entity" && only.interactive && scope.context.options.entities?.onClick;
  return html`<button
    type="button"
    class=${only?.type === "entity" ? "source-marker source-entity" : "source-marker"}
    aria-label=${label}
    @click=${active ? () => clickEntity(scope.context, entityOf(only)) : nothing}
    ${subject(scope.preview, { ...about, opensOnClick: !active })}
  >${only?.type === "entity" ? entityFace(only) : cited.map(({ number }) => number).join(", ")}</button>`;
}

function entityFace(source: EntitySource): TemplateResult | string {
  return source.inline_label ?? icon(sourceIcon(source));
}

/** Folded until the reader opens it. */
export function sourceList(scope: Scope, sources: readonly Cited[]): TemplateResult {
  const { words } = scope.context;
  return html`<details class="sources" part="sources">
    <summary class="sources-summary">
      ${icon("chevron-right")}<span>${words.t("answer.sources")}</span><span class="sources-count">${sources.length}</span>
    </summary>
    ${groups(sources).map(
      ([group, cited]) => html`${group ? html`<div class="sources-group" dir="auto">${group}</div>` : nothing}
        <ol class="sources-list">
          ${cited.map(({ number, source }) => html`<li class="sources-item" value=${number}>${row(scope, source, number)}</li>`)}
        </ol>`,
    )}
  </details>`;
}

/** In the order of the first of each group. */
function groups(sources: readonly Cited[]): [string, Cited[]][] {
  const byGroup = new Map<string, Cited[]>();
  for (const cited of sources) {
    const group = cited.source.group ?? "";
    byGroup.set(group, [...(byGroup.get(group) ?? []), cited]);
  }
  return [...byGroup];
}

/** A source as a line of a list: a link, a button, or words alone. In a card it has no card of its own. */
export function row(scope: Scope, source: Source, number?: number, inCard = false): TemplateResult {
  const face = number === undefined ? icon(sourceIcon(source)) : number;
  const content = html`<span class="sources-number" aria-hidden="true">${face}</span>${details(scope, source)}`;
  const link = source.type === "url" ? scope.prose.link(source.url, source.title) : null;
  if (link) {
    return html`<a
      class="sources-row sources-active"
      href=${link.href}
      target="_blank"
      rel="noopener noreferrer nofollow"
      referrerpolicy="no-referrer"
      title=${link.href}
      @click=${link.ask}
      @auxclick=${link.ask}
    >${content}<span class="ck-hidden"> (${scope.context.words.t("link.external")})</span></a>`;
  }
  if (source.type === "entity" && source.interactive) {
    const entity = entityOf(source);
    return html`<button
      type="button"
      class="sources-row sources-active"
      @click=${() => clickEntity(scope.context, entity)}
      ${inCard ? nothing : subject(scope.preview, { title: source.title, entity })}
    >${content}</button>`;
  }
  return html`<span class="sources-row">${content}</span>`;
}

/** Who says what, when. */
function details(scope: Scope, source: Source): TemplateResult {
  const origin =
    source.type === "url"
      ? [hostOf(source.url), source.attribution]
      : source.type === "file"
        ? [source.filename === source.title ? null : source.filename]
        : [source.label];
  const about = [...new Set([...origin, source.timestamp && scope.context.words.date(source.timestamp)])].filter(
    Boolean,
  );
  return html`<span class="source" dir="auto">
    <span class="source-title">${source.title}</span>
    ${about.length > 0 ? html`<span class="source-about">${about.join(" · ")}</span>` : nothing}
    ${source.description ? html`<span class="source-description">${source.description}</span>` : nothing}
  </span>`;
}

function sourceIcon(source: Source): string {
  return source.type === "entity" ? (source.icon ?? "cube") : source.type === "file" ? "file" : "globe";
}
