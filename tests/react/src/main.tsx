// An application as readers of the React wrapper's documentation write it; `window.app` lets a test drive it.

import { ChatKit, type ChatKitOptions, type UseChatKitReturn, useChatKit } from "@openai/chatkit-react";
import { StrictMode } from "react";
import { createRoot, type Root } from "react-dom/client";

interface Settings {
  /** Data alone: functions are the application's own. */
  options?: Partial<ChatKitOptions>;
  /** Every closure of a render reports it. */
  generation?: number;
  strict?: boolean;
  /** Another key makes another element. */
  identity?: string;
  shown?: boolean;
  className?: string;
  secretQuery?: string;
}

interface App {
  render(settings: Settings): void;
  unmount(): void;
  /** What the hook returned last. */
  chat: UseChatKitReturn | null;
  settings: Settings;
}

declare global {
  interface Window {
    app: App;
    calls: unknown[][];
  }
}

const calls: unknown[][] = [];
window.calls = calls;
const record = (name: string, ...given: unknown[]) => void calls.push([name, ...given]);

function Chat({ settings }: { settings: Settings }) {
  const generation = settings.generation ?? 0;
  const noted =
    (name: string) =>
    (detail?: unknown): void =>
      record(name, generation, detail instanceof Object && "error" in detail ? String(detail.error) : detail ?? null);
  const chat = useChatKit({
    api: {
      getClientSecret: async (current) => {
        record("getClientSecret", generation, current);
        const response = await fetch(`/secret?${settings.secretQuery}`, { method: "POST" });
        return ((await response.json()) as { client_secret: string }).client_secret;
      },
    },
    ...settings.options,
    header: {
      ...settings.options?.header,
      rightAction: { icon: "star", onClick: () => record("header", generation) },
    },
    onClientTool: async ({ name, params }) => {
      record("onClientTool", generation, name, params);
      return { answered: name };
    },
    widgets: {
      onAction: async (action, item) => {
        record("onAction", generation, action, item.id);
        await chat.sendCustomAction({ type: "showcase.report", payload: { by: "react" } }, item.id);
      },
    },
    onReady: noted("onReady"),
    onError: noted("onError"),
    onEffect: noted("onEffect"),
    onDeeplink: noted("onDeeplink"),
    onResponseStart: noted("onResponseStart"),
    onResponseEnd: noted("onResponseEnd"),
    onThreadChange: noted("onThreadChange"),
    onThreadLoadStart: noted("onThreadLoadStart"),
    onThreadLoadEnd: noted("onThreadLoadEnd"),
    onToolChange: noted("onToolChange"),
    onHistoryOpen: noted("onHistoryOpen"),
    onHistoryClose: noted("onHistoryClose"),
    onLog: noted("onLog"),
  });
  window.app.chat = chat;
  return (
    <ChatKit
      control={chat.control}
      className={settings.className ?? "chat"}
      data-from="react"
      ref={(element) => record("ref", element?.localName ?? null)}
    />
  );
}

let root: Root | null = null;

window.app = {
  chat: null,
  settings: {},
  render(settings) {
    window.app.settings = settings;
    const host = document.getElementById("host");
    if (!host) throw new Error("the page has no host");
    root ??= createRoot(host);
    const shown = settings.shown ?? true ? <Chat key={settings.identity ?? "first"} settings={settings} /> : null;
    root.render(settings.strict ? <StrictMode>{shown}</StrictMode> : shown);
  },
  unmount() {
    root?.unmount();
    root = null;
  },
};
