import { afterEach, expect, test, vi } from "vitest";
import { lookOf, readChoices, writeChoices } from "../src/demo/choices.ts";
import { snippet } from "../src/demo/snippet.ts";
import { type Sighting, tapFetch } from "../src/demo/wire.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

test("what was chosen comes back from the query, defaults need no place in it", () => {
  const query = "?workflow=wf_a&theme=dark&accent=%232563eb&radius=sharp&density=compact&size=18&locale=de-DE";
  expect(writeChoices(readChoices(query))).toBe(query);
  expect(writeChoices(readChoices(""))).toBe("");
});

test("what a query has wrong is the default", () => {
  const query = "theme=pink&accent=url(x)&radius=&size=99&density=1&locale=<b>&workflow=";
  expect(readChoices(query)).toEqual(readChoices(""));
});

test("the element gets only what differs from its defaults", () => {
  expect(lookOf(readChoices(""), "light")).toEqual({ theme: "light" });
  expect(lookOf(readChoices("size=18&locale=de"), "dark")).toEqual({
    theme: { colorScheme: "dark", typography: { baseSize: 18 } },
    locale: "de",
  });
});

test("the snippet's options are those of the page", () => {
  const choices = readChoices("accent=%237c3aed&density=spacious&locale=fr");
  const code = snippet("https://chat.example", choices, "dark");
  const given = /setOptions\(([\s\S]*)\);\n<\/script>/.exec(code)![1];
  const { theme, locale } = new Function(`return ${given}`)();
  expect({ theme, locale }).toEqual(lookOf(choices, "dark"));
  expect(code).toContain('<script src="https://chat.example/deployments/chatkit/chatkit.js">');
});

const CHAT = "https://here.example/v1/chatkit/conversation";

/** A page whose server answers so; returns its tapped `fetch` and what was seen. */
function tapped(answer: () => Response | Promise<Response>): { fetch: typeof fetch; seen: Sighting[] } {
  const page = { fetch: async () => answer() };
  vi.stubGlobal("window", page);
  vi.stubGlobal("location", new URL("https://here.example/"));
  const seen: Sighting[] = [];
  tapFetch((sighting) => seen.push(sighting));
  return { fetch: page.fetch as typeof fetch, seen };
}

function stream(source: UnderlyingDefaultSource<Uint8Array>): Response {
  return new Response(new ReadableStream(source), { headers: { "content-type": "text/event-stream" } });
}

function typesOf(seen: Sighting[]): string[] {
  return seen.map(({ direction, type }) => `${direction} ${type}`);
}

test("a stream passes as it is, and each of its events is seen", async () => {
  const text = 'data: {"type":"thread.item.updated","update":{"type":"x.text_delta"}}\n\nid: r:1\n\n: completed\n\n';
  const { fetch, seen } = tapped(() =>
    stream({
      start(controller) {
        for (const byte of new TextEncoder().encode(text)) controller.enqueue(new Uint8Array([byte]));
        controller.close();
      },
    }),
  );
  const response = await fetch(CHAT, { method: "POST", body: '{"type":"threads.create"}' });
  expect(await response.text()).toBe(text);
  expect(typesOf(seen)).toEqual(["sent threads.create", "received x.text_delta", "received : completed"]);
});

test("leaving a stream ends the request", async () => {
  const cancelled = vi.fn();
  const { fetch } = tapped(() => stream({ cancel: cancelled }));
  const response = await fetch(CHAT, { method: "POST", body: "{}" });
  await response.body!.cancel("enough");
  expect(cancelled).toHaveBeenCalledWith("enough");
});

test("a broken stream breaks for its reader too", async () => {
  const { fetch } = tapped(() =>
    stream({
      start: (controller) => controller.error(new TypeError("network error")),
    }),
  );
  await expect((await fetch(CHAT)).text()).rejects.toThrow("network error");
});

test("a refused request is seen as one and can still be read", async () => {
  const { fetch, seen } = tapped(() => Response.json({ error: { code: "thread_busy" } }, { status: 409 }));
  const response = await fetch(CHAT, { method: "POST", body: '{"type":"threads.create"}' });
  expect(await response.json()).toEqual({ error: { code: "thread_busy" } });
  await vi.waitFor(() => expect(seen).toHaveLength(2));
  expect(seen[1]).toMatchObject({ type: "409 threads.create", failed: true, body: { error: { code: "thread_busy" } } });
});

test("a request that fails is seen and still fails", async () => {
  const { fetch, seen } = tapped(() => Promise.reject(new TypeError("Failed to fetch")));
  await expect(fetch(CHAT, { method: "POST", body: '{"type":"threads.list"}' })).rejects.toThrow("Failed to fetch");
  expect(seen[1]).toMatchObject({ type: "threads.list: TypeError", failed: true });
});

test("other requests are nobody's business", async () => {
  const { fetch, seen } = tapped(() => new Response("x"));
  await fetch("https://elsewhere.example/v1/chatkit/conversation");
  await fetch("/docs");
  expect(seen).toEqual([]);
});
