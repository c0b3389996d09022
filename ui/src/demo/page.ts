/** The demo page: the element, what it says to the server, and how it can look. */

import type { OpenAIChatKit } from "@openai/chatkit";
import { keepThreadInAddress, optionsFor, threadInAddress } from "./chat.ts";
import { readChoices, schemeOf, writeChoices } from "./choices.ts";
import { WireLog } from "./log.ts";
import { DemoSessions } from "./session.ts";
import { snippet } from "./snippet.ts";
import { tabs } from "./tabs.ts";
import { tapFetch } from "./wire.ts";

/** The languages that have a chunk; the build fills it in. */
declare const LOCALES: readonly string[];

const byId = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const form = byId<HTMLFormElement>("look");
const panel = byId("panel");
const panelToggle = byId("panel-toggle");
const isNarrow = matchMedia("(width < 60rem)");

let choices = readChoices(location.search);
const sessions = new DemoSessions(choices.workflow);
const log = new WireLog(byId("wire-list"), byId("wire"));
tapFetch((sighting) => log.add(sighting));

async function start(): Promise<void> {
  await customElements.whenDefined("openai-chatkit");
  const chat = byId<OpenAIChatKit>("chat");
  await sessions.open();
  const options = () => optionsFor(choices, sessions, threadInAddress());
  fill(
    "workflow",
    sessions.workflows.map((id) => [id, id]),
  );
  choices = { ...choices, workflow: sessions.workflow };
  showChoices();
  keepThreadInAddress(chat);
  chat.setOptions(options());

  const changed = () => {
    history.replaceState(null, "", (writeChoices(choices) || location.pathname) + location.hash);
    showChoices();
    chat.setOptions(options());
  };
  form.addEventListener("input", () => {
    const given = new FormData(form);
    const query = new URLSearchParams([...given].map(([name, value]) => [name, String(value)]));
    choices = { ...readChoices(`${query}`), workflow: choices.workflow };
    changed();
  });
  byId("scheme-toggle").addEventListener("click", () => {
    choices = { ...choices, theme: schemeOf(choices) === "dark" ? "light" : "dark" };
    changed();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  byId<HTMLSelectElement>("workflow").addEventListener("change", ({ target }) => {
    // Another workflow is another session; what is open here was answered by this one.
    location.assign(location.pathname + writeChoices({ ...choices, workflow: (target as HTMLSelectElement).value }));
  });
}

function fill(id: string, entries: readonly (readonly [value: string, label: string])[]): void {
  byId(id).append(...entries.map(([value, label]) => new Option(label, value)));
}

function showChoices(): void {
  for (const [name, value] of Object.entries(choices)) {
    const field = form.elements.namedItem(name);
    if (field instanceof RadioNodeList || field instanceof HTMLSelectElement) field.value = String(value ?? "");
  }
  byId<HTMLSelectElement>("workflow").value = choices.workflow ?? "";
  const scheme = schemeOf(choices);
  document.documentElement.dataset.scheme = scheme;
  byId("scheme-toggle").ariaPressed = String(scheme === "dark");
  byId("snippet").textContent = snippet(location.origin, choices, scheme);
  byId<HTMLAnchorElement>("embed").href = `/embed${writeChoices(choices)}`;
}

function openPanel(open: boolean): void {
  panel.hidden = !open;
  panelToggle.ariaExpanded = String(open);
  if (isNarrow.matches) (open ? byId("panel-close") : panelToggle).focus();
}

fill("locale", languages());
tabs(byId("tabs"));
panelToggle.addEventListener("click", () => openPanel(panelToggle.ariaExpanded !== "true"));
byId("panel-close").addEventListener("click", () => openPanel(false));
panel.addEventListener("keydown", ({ key }) => {
  if (key === "Escape" && isNarrow.matches) openPanel(false);
});
isNarrow.addEventListener("change", () => openPanel(!isNarrow.matches));
byId("wire-clear").addEventListener("click", () => log.clear());
byId("wire-filter").addEventListener("input", ({ target }) => log.filter((target as HTMLInputElement).value));
byId("snippet-copy").addEventListener("click", async ({ currentTarget }) => {
  const button = currentTarget as HTMLElement;
  const label = button.textContent;
  await navigator.clipboard.writeText(byId("snippet").textContent ?? "");
  button.textContent = "Copied";
  setTimeout(() => {
    button.textContent = label;
  }, 1_500);
});
panel.hidden = isNarrow.matches;
panelToggle.ariaExpanded = String(!isNarrow.matches);
showChoices();
start().catch((error: Error) => {
  byId("failure").textContent = error.message;
  byId("failure").hidden = false;
});

/** English and what there is beside it, each by its own name. */
function languages(): [string, string][] {
  return ["en", ...LOCALES].map((tag) => [tag, new Intl.DisplayNames(tag, { type: "language" }).of(tag) ?? tag]);
}
