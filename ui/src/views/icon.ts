/** Icons by name: our own, ChatKit's, and all of Lucide's as `lucide:NAME`. All but our own are loaded when first used. */

import { html, type TemplateResult } from "lit";
import { until } from "lit/directives/until.js";
import { type Icons, load } from "../lazy.ts";
import { PATHS, SHARD_STARTS } from "./icon.paths.ts";

/** Areas rather than lines. */
const FILLED = new Set(["check-circle-filled", "dot", "star-filled", "stop"]);
/** Those that point along the text. */
const MIRRORED = new Set(["back", "chevron-end", "chevron-start", "reply"]);
const RETRY_AFTER_MS = 5_000;

/** An icon as large as the text around it, for eyes only; an empty box where there is none of that name, or not yet. */
export function icon(name: string): TemplateResult {
  const path = pathOf(name);
  const kind = FILLED.has(name) ? " ck-icon-filled" : MIRRORED.has(name) ? " ck-icon-mirrored" : "";
  return html`<svg class="ck-icon${kind}" viewBox="0 0 24 24" aria-hidden="true">
    <path d=${typeof path === "object" ? until(path, "") : path}></path>
  </svg>`;
}

type Paths = Readonly<Record<string, string>>;
const chunks = new Map<string, Promise<Paths> | Paths>();

/** The path of an icon: "" when there is none, a promise while its chunk is being loaded. */
export function pathOf(name: string): string | Promise<string> {
  if (Object.hasOwn(PATHS, name)) return PATHS[name]!;
  if (!name.includes(":")) return pathIn("icons", load.icons, name);
  if (!name.startsWith("lucide:")) return "";
  const lucide = name.slice(7);
  const shard = shardOf(lucide);
  return pathIn(String(shard), () => load.lucide(shard), lucide);
}

/** Which shard a name of Lucide's would be in. */
export function shardOf(name: string): number {
  return Math.max(
    0,
    SHARD_STARTS.findLastIndex((start) => start <= name),
  );
}

function pathIn(chunk: string, fetch: () => Promise<Icons>, name: string): string | Promise<string> {
  const known = chunks.get(chunk) ?? fetchPaths(chunk, fetch);
  const path = (paths: Paths) => (Object.hasOwn(paths, name) ? paths[name]! : "");
  return known instanceof Promise ? known.then(path) : path(known);
}

function fetchPaths(chunk: string, fetch: () => Promise<Icons>): Promise<Paths> {
  const loading = fetch().then(
    (loaded) => {
      chunks.set(chunk, loaded.default);
      return loaded.default;
    },
    () => {
      setTimeout(() => chunks.delete(chunk), RETRY_AFTER_MS);
      return {};
    },
  );
  chunks.set(chunk, loading);
  return loading;
}
