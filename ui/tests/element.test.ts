import type { OpenAIChatKit } from "@openai/chatkit";
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { ChatKitElement } from "../src/element.ts";
import { iconLabel } from "../src/views/header.ts";

/** What of an element there is without a document; it is never connected. */
class DetachedElement extends EventTarget {
  readonly isConnected = false;
  readonly attributes = [];
  attachShadow(init: ShadowRootInit): { mode: string } {
    return { mode: init.mode };
  }
}

let Element: typeof ChatKitElement;
let warned: string[];

beforeEach(async () => {
  vi.stubGlobal("HTMLElement", DetachedElement);
  vi.stubGlobal("requestAnimationFrame", (callback: () => void) => setTimeout(callback));
  ({ ChatKitElement: Element } = await import("../src/element.ts"));
  warned = [];
  vi.spyOn(console, "warn").mockImplementation((text: string) => void warned.push(text));
  return () => {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  };
});

const options = { api: { url: "/chatkit", domainKey: "" } };

test("it is the element of the public types", () => {
  const element: OpenAIChatKit = new Element();
  expect(element).toBeInstanceOf(DetachedElement);
});

test("setOptions is possible before the element is in a document, and replaces", () => {
  const element = new Element();
  element.setOptions({ ...options, frameTitle: "Help" });
  element.setOptions(options);
  expect(element.options).toEqual(options);
});

test("options that are no options are left out, told once each, and logged without their values", async () => {
  const element = new Element();
  const log = vi.fn();
  element.addEventListener("chatkit.log", (event) => log((event as CustomEvent).detail));
  const given = { ...options, bogus: "secret", theme: "system" } as never;
  element.setOptions(given);
  element.setOptions(given);
  expect(element.options).toEqual(options);
  expect(warned).toHaveLength(2);
  await vi.waitFor(() => expect(log).toHaveBeenCalled());
  expect(log).toHaveBeenCalledTimes(1);
  expect(log.mock.calls[0]?.[0].name).toBe("options.unknown");
  expect(JSON.stringify(log.mock.calls)).not.toContain("secret");
});

test("what is no object at all does not throw", () => {
  const element = new Element();
  element.setOptions(undefined as never);
  expect(element.options).toEqual({});
});

describe("methods that nothing can be done with reject", () => {
  const calls: [string, (element: ChatKitElement) => Promise<unknown>][] = [
    ["focusComposer", (element) => element.focusComposer()],
    ["setThreadId", (element) => element.setThreadId("cthr_1")],
    ["sendUserMessage", (element) => element.sendUserMessage({ text: "Hello" })],
    ["setComposerValue", (element) => element.setComposerValue({ text: "Hello" })],
    ["getComposerValue", (element) => element.getComposerValue()],
    ["sendCustomAction", (element) => element.sendCustomAction({ type: "x" })],
    ["sendAction", (element) => element.sendAction({ type: "x" })],
    ["fetchUpdates", (element) => element.fetchUpdates()],
    ["showHistory", (element) => element.showHistory()],
    ["hideHistory", (element) => element.hideHistory()],
    ["stop", (element) => element.stop()],
    ["getThread", (element) => element.getThread()],
  ];

  test.each(calls)("%s without options, and outside of a document", async (_name, call) => {
    const element = new Element();
    await expect(call(element)).rejects.toMatchObject({ name: "IntegrationError", message: /setOptions/ });
    element.setOptions(options);
    await expect(call(element)).rejects.toMatchObject({ name: "IntegrationError", message: /document/ });
  });
});

test("no accessor is named like an attribute of HTML, which frameworks would set", () => {
  const accessors = Object.entries(Object.getOwnPropertyDescriptors(Element.prototype)).filter(([, { set }]) => set);
  expect(accessors.map(([name]) => name)).toEqual(["options"]);
});

test.each([
  ["home", "Home"],
  ["home-alt", "Home"],
  ["settings-cog", "Settings cog"],
  ["dots-horizontal-circle", "Dots"],
  ["sidebar-open-left", "Sidebar open left"],
  ["lucide:bell-ring", "Bell ring"],
])("a button with the icon %s is called %s", (name, label) => {
  expect(iconLabel(name)).toBe(label);
});
