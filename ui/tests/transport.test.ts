import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Api } from "../src/core/options.ts";
import { createTransport, sameServer, uploadStrategyOf } from "../src/core/server.ts";
import { ApiError, NetworkError } from "../src/core/transport.ts";

const NOW = Date.UTC(2026, 0, 1);
const seconds = (count: number) => count * 1000;

/** A secret like the server's, which expires so many seconds from now. */
function secretFor(expiresIn: number, id = "ab12") {
  return `ek_${id}_00${btoa(JSON.stringify({ expires_at: NOW / 1000 + expiresIn }))}`;
}

interface Seen {
  url: string;
  init: RequestInit & { headers: Record<string, string> };
}

/** A fetch that keeps what it was asked and answers with what `answer` says. */
function fakeFetch(answer: (seen: Seen, count: number) => Response | Promise<Response> = () => Response.json({})) {
  const seen: Seen[] = [];
  const fetch = vi.fn(async (url: unknown, init: unknown) => {
    const request = { url: url as string, init: init as Seen["init"] };
    seen.push(request);
    return answer(request, seen.length);
  });
  return { fetch: fetch as unknown as typeof globalThis.fetch, seen };
}

function stubFetch(...given: Parameters<typeof fakeFetch>) {
  const fake = fakeFetch(...given);
  vi.stubGlobal("fetch", fake.fetch);
  return fake.seen;
}

function transportTo(api: Api, locale = "de-DE") {
  return createTransport({ api: () => api, locale: () => locale, scriptOrigin: "https://chat.example" });
}

function hosted(getClientSecret: (current: string | null) => unknown) {
  return transportTo({ getClientSecret: getClientSecret as (current: string | null) => Promise<string> });
}

const bearers = (seen: Seen[]) => seen.map(({ init }) => init.headers.Authorization?.replace("Bearer ", ""));
const list = (transport: ReturnType<typeof transportTo>) => transport.call("threads.list", {});
const refusal = (status: number) => new Response('{"error":{"message":"No."}}', { status });

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("a request", () => {
  test("is the operation as JSON, in one language", async () => {
    const seen = stubFetch(() => Response.json({ data: [] }));
    const signal = new AbortController().signal;
    const page = await hosted(async () => "ek_1").call("threads.list", { limit: 2 }, { signal, key: "k1" });
    expect(page).toEqual({ data: [] });
    expect(seen).toEqual([
      {
        url: "https://chat.example/v1/chatkit/conversation",
        init: {
          method: "POST",
          headers: {
            "Content-Type": "application/json",
            "Accept-Language": "de-DE",
            "Idempotency-Key": "k1",
            Authorization: "Bearer ek_1",
          },
          body: '{"type":"threads.list","params":{"limit":2}}',
          signal,
        },
      },
    ]);
  });

  test("goes through the fetch that the page has by then", async () => {
    stubFetch(() => Response.json({ from: "before" }));
    const transport = transportTo({ url: "/chat" });
    stubFetch(() => Response.json({ from: "after" }));
    expect(await list(transport)).toEqual({ from: "after" });
  });

  test("says no language that is no tag", async () => {
    const seen = stubFetch();
    await list(transportTo({ url: "/chat" }, "de\r\nX-Evil: 1"));
    expect(seen[0]?.init.headers).toEqual({ "Content-Type": "application/json" });
  });

  test("that streams gives the response as it comes", async () => {
    stubFetch(() => new Response(": completed\n\n", { headers: { "content-type": "text/event-stream" } }));
    const response = await transportTo({ url: "/chat" }).stream("threads.resume", { thread_id: "cthr_1" });
    expect(await response.text()).toBe(": completed\n\n");
  });

  test("that streams takes no web page for an answer", async () => {
    stubFetch(() => new Response("<html>Log in</html>", { headers: { "content-type": "text/html; charset=utf-8" } }));
    const streaming = transportTo({ url: "/chat" }).stream("threads.resume", { thread_id: "cthr_1" });
    await expect(streaming).rejects.toMatchObject({ name: "ApiError", message: "The server answered 200." });
  });
});

describe("the client secret", () => {
  test("is asked for with null, and used until 30 seconds before it expires", async () => {
    const seen = stubFetch();
    const secrets = [secretFor(600, "a"), secretFor(1200, "b")];
    const getClientSecret = vi.fn(async () => secrets[getClientSecret.mock.calls.length - 1]);
    const transport = hosted(getClientSecret);

    await list(transport);
    vi.setSystemTime(NOW + seconds(569));
    await list(transport);
    expect(getClientSecret.mock.calls).toEqual([[null]]);

    vi.setSystemTime(NOW + seconds(570));
    await list(transport);
    expect(getClientSecret.mock.calls).toEqual([[null], [secrets[0]]]);
    expect(bearers(seen)).toEqual([secrets[0], secrets[0], secrets[1]]);
  });

  test("is asked for once by requests that are made together", async () => {
    const seen = stubFetch();
    const getClientSecret = vi.fn(async () => "ek_1");
    const transport = hosted(getClientSecret);
    await Promise.all([list(transport), list(transport), list(transport)]);
    expect(getClientSecret).toHaveBeenCalledOnce();
    expect(seen).toHaveLength(3);
  });

  test("is renewed once for requests that were refused together", async () => {
    const seen = stubFetch(({ init }) =>
      init.headers.Authorization === "Bearer old" ? refusal(401) : Response.json({}),
    );
    const getClientSecret = vi.fn(async (current: string | null) => (current === null ? "old" : "new"));
    const transport = hosted(getClientSecret);
    await Promise.all([list(transport), list(transport), list(transport)]);
    expect(getClientSecret.mock.calls).toEqual([[null], ["old"]]);
    expect(bearers(seen).sort()).toEqual(["new", "new", "new", "old", "old", "old"]);
  });

  test("a refusal that arrives late does not renew what was renewed meanwhile", async () => {
    let refuseLate: (response: Response) => void = () => {};
    stubFetch(({ init }, count) => {
      if (count === 1) return new Promise((resolve) => (refuseLate = resolve));
      return init.headers.Authorization === "Bearer old" ? refusal(401) : Response.json({});
    });
    const getClientSecret = vi.fn(async (current: string | null) => (current === null ? "old" : "new"));
    const transport = hosted(getClientSecret);
    const late = list(transport);
    await vi.waitFor(() => expect(globalThis.fetch).toHaveBeenCalledOnce());
    await list(transport);
    refuseLate(refusal(401));
    await late;
    expect(getClientSecret).toHaveBeenCalledTimes(2);
  });

  test("a second 401 is the answer, and the next request asks again", async () => {
    const seen = stubFetch(() => refusal(401));
    const getClientSecret = vi.fn(async () => `ek_${getClientSecret.mock.calls.length}`);
    const transport = hosted(getClientSecret);
    await expect(list(transport)).rejects.toMatchObject({ name: "ApiError", status: 401, message: "No." });
    expect(bearers(seen)).toEqual(["ek_1", "ek_2"]);
    await expect(list(transport)).rejects.toBeInstanceOf(ApiError);
    expect(bearers(seen).slice(2)).toEqual(["ek_2", "ek_3"]);
  });

  test.each([
    ["is of no known form", "my-own-secret"],
    ["has no time in it", `ek_ab_00${btoa("{}")}`],
    ["has no JSON in it", "ek_ab_00%%%"],
  ])("that %s is renewed by a 401 alone", async (_, secret) => {
    let answers = 0;
    stubFetch(() => (++answers === 3 ? refusal(401) : Response.json({})));
    const getClientSecret = vi.fn(async () => secret);
    const transport = hosted(getClientSecret);
    await list(transport);
    vi.setSystemTime(NOW + seconds(1e6));
    await list(transport);
    expect(getClientSecret).toHaveBeenCalledOnce();
    await list(transport);
    expect(getClientSecret).toHaveBeenCalledTimes(2);
  });

  test.each([-1e6, -10, 0, 20, 31, 59])(
    "that seems to expire in %s seconds is not renewed with each request",
    async (life) => {
      stubFetch();
      const getClientSecret = vi.fn(async () => secretFor(life));
      const transport = hosted(getClientSecret);
      for (let second = 0; second < 30; second += 1) {
        vi.setSystemTime(NOW + seconds(second));
        await list(transport);
      }
      expect(getClientSecret).toHaveBeenCalledOnce();
    },
  );

  test.each([
    [
      "throws",
      () => {
        throw new Error("not logged in");
      },
      "not logged in",
    ],
    ["rejects", async () => Promise.reject(new Error("not logged in")), "not logged in"],
    ["gives nothing", async () => undefined, "it returned no client secret"],
    ["gives an object", async () => ({ client_secret: "ek_1" }), "it returned no client secret"],
    ["gives an empty text", async () => "", "it returned no client secret"],
    ["gives what no header can hold", async () => "ek_\n1", "it returned no client secret"],
    ["hangs", () => new Promise(() => {}), "no answer within 30 seconds"],
  ])("a callback that %s is a clear error, and the next request asks again", async (_, fails, why) => {
    const seen = stubFetch();
    const getClientSecret = vi.fn<(current: string | null) => unknown>(fails);
    const transport = hosted(getClientSecret);
    const failing = Promise.allSettled([list(transport), list(transport)]);
    await vi.advanceTimersByTimeAsync(seconds(30));
    for (const outcome of await failing) {
      const reason = outcome.status === "rejected" && outcome.reason;
      expect(reason).toBeInstanceOf(NetworkError);
      expect(reason).toMatchObject({ message: `api.getClientSecret failed: ${why}` });
    }
    expect(getClientSecret).toHaveBeenCalledOnce();
    expect(seen).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);

    getClientSecret.mockImplementation(async () => "ek_1");
    await list(transport);
    expect(bearers(seen)).toEqual(["ek_1"]);
  });

  test("a request that is aborted stops waiting for it, others go on", async () => {
    const seen = stubFetch();
    let answer: (secret: string) => void = () => {};
    const transport = hosted(() => new Promise((resolve) => (answer = resolve)));
    const controller = new AbortController();
    const aborted = transport.call("threads.list", {}, { signal: controller.signal });
    const other = list(transport);
    controller.abort();
    await expect(aborted).rejects.toBe(controller.signal.reason);
    answer("ek_1");
    await other;
    expect(seen).toHaveLength(1);
  });

  test("comes from the newest callback", async () => {
    const seen = stubFetch(({ init }) =>
      init.headers.Authorization === "Bearer b" ? Response.json({}) : refusal(401),
    );
    let api: Api = { getClientSecret: async () => "a" };
    const transport = createTransport({ api: () => api, locale: () => "en", scriptOrigin: "https://chat.example" });
    api = { getClientSecret: async () => "b" };
    await list(transport);
    expect(bearers(seen)).toEqual(["b"]);
  });

  test("goes to no other server", async () => {
    const seen = stubFetch();
    const transport = hosted(async () => "ek_1");
    const init = { method: "PUT", headers: { "x-amz-acl": "private" }, body: "x" };
    await transport.upload("https://chat.example/v1/chatkit/files", init);
    await transport.upload("https://chat.example.evil/put", init);
    await transport.upload("http://chat.example/put", init);
    expect(bearers(seen)).toEqual(["ek_1", undefined, undefined]);
    expect(seen[1]?.init).toEqual(init);
  });
});

describe("a custom server", () => {
  test("gets requests through the page's newest fetch, which has no `this`", async () => {
    const globally = stubFetch();
    let self: unknown = "not called";
    const seen: string[] = [];
    const first: typeof fetch = async () => Response.json({});
    let api: Api = { url: "chat", domainKey: "dk", fetch: first };
    const transport = createTransport({ api: () => api, locale: () => "fr", scriptOrigin: "https://chat.example" });
    api = {
      url: "chat",
      async fetch(this: unknown, url, init) {
        self = this;
        seen.push(url as string, JSON.stringify(init?.headers));
        return Response.json({});
      },
    };
    await transport.call("threads.list", {}, { key: "k1" });
    expect(transport.honoursKeys).toBe(false);
    expect(self).toBeUndefined();
    expect(seen).toEqual(["chat", '{"Content-Type":"application/json","Accept-Language":"fr"}']);
    expect(globally).toEqual([]);
  });

  test("a 401 is final", async () => {
    const seen = stubFetch(() => refusal(401));
    await expect(list(transportTo({ url: "/chat" }))).rejects.toMatchObject({ status: 401 });
    expect(seen).toHaveLength(1);
  });

  test("its own URLs go through the page's fetch, foreign ones do not", async () => {
    const plain = stubFetch();
    const { fetch, seen } = fakeFetch();
    const uploadStrategy = { type: "direct", uploadUrl: "https://files.example/up" } as const;
    const transport = transportTo({ url: "https://api.example/chat", fetch, uploadStrategy });
    for (const url of ["https://api.example/up/1", "https://files.example/up", "https://files.example/other"]) {
      await transport.upload(url, { method: "POST" });
    }
    expect(seen.map(({ url }) => url)).toEqual(["https://api.example/up/1", "https://files.example/up"]);
    expect(plain.map(({ url }) => url)).toEqual(["https://files.example/other"]);
  });

  test("a fetch of the page that gives no response is a NetworkError", async () => {
    const fetch = (async () => ({ data: [] })) as unknown as typeof globalThis.fetch;
    await expect(list(transportTo({ url: "/chat", fetch }))).rejects.toBeInstanceOf(NetworkError);
  });
});

describe("what goes wrong", () => {
  const failure = (answer: () => Response | Promise<Response>, signal?: AbortSignal) => {
    stubFetch(answer);
    return transportTo({ url: "/chat" })
      .call("threads.list", {}, { signal })
      .catch((error: unknown) => error);
  };

  test.each([
    ['{"error":{"message":"Too many.","code":"rate_limit_exceeded","type":"x"}}', "Too many.", "rate_limit_exceeded"],
    ['{"error":"Too many."}', "Too many.", null],
    ['{"detail":"Not found"}', "Not found", null],
    ['{"detail":{"message":"Closed","code":"thread_closed"}}', "Closed", "thread_closed"],
    [
      '{"detail":[{"loc":["body","type"],"msg":"Field required","type":"missing"},{"msg":"Too long"}]}',
      "Field required; Too long",
      null,
    ],
    ['{"message":"Forbidden"}', "Forbidden", null],
    ['{"error":{"message":null,"code":7}}', "The server answered 429 Slow.", null],
    ['"Just text"', "Just text", null],
    ["Just text", "Just text", null],
    ["x".repeat(400), `${"x".repeat(300)}…`, null],
    ["<!doctype html><title>nginx</title>", "The server answered 429 Slow.", null],
    ["", "The server answered 429 Slow.", null],
    ["null", "The server answered 429 Slow.", null],
  ])("a refusal of %j is told in its words", async (body, message, code) => {
    const error = await failure(() => new Response(body, { status: 429, statusText: "Slow" }));
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 429, message, code });
  });

  test.each([
    ["12", 12_000],
    ["0", 0],
    [new Date(NOW + seconds(90)).toUTCString(), 90_000],
    [new Date(NOW - seconds(90)).toUTCString(), 0],
    ["soon", null],
    [null, null],
  ])("Retry-After: %s", async (value, retryAfterMs) => {
    const headers: HeadersInit = value === null ? {} : { "retry-after": value };
    expect(await failure(() => new Response("", { status: 503, headers }))).toMatchObject({ retryAfterMs });
  });

  test("a fetch that rejects is a NetworkError with its cause", async () => {
    const cause = new TypeError("Failed to fetch");
    const error = await failure(() => Promise.reject(cause));
    expect(error).toBeInstanceOf(NetworkError);
    expect(error).toMatchObject({ cause, message: "The server could not be reached: Failed to fetch" });
  });

  test("what the signal aborts with passes as it is", async () => {
    const controller = new AbortController();
    const failing = failure(
      () =>
        new Promise((_, reject) => controller.signal.addEventListener("abort", () => reject(controller.signal.reason))),
      controller.signal,
    );
    controller.abort();
    expect(await failing).toBe(controller.signal.reason);
    expect(controller.signal.reason).toMatchObject({ name: "AbortError" });
  });

  test("an abort that is not ours is a NetworkError", async () => {
    const cause = new DOMException("timed out", "AbortError");
    expect(await failure(() => Promise.reject(cause))).toMatchObject({ name: "NetworkError", cause });
  });

  test("an answer that is no JSON is an ApiError, one that is cut a NetworkError", async () => {
    expect(await failure(() => new Response("<html>"))).toMatchObject({ name: "ApiError", status: 200 });
    const cut = new ReadableStream({ start: (body) => body.error(new TypeError("terminated")) });
    expect(await failure(() => new Response(cut))).toMatchObject({ name: "NetworkError" });
  });

  test("an empty answer is an empty object", async () => {
    expect(await failure(() => new Response(null, { status: 204 }))).toEqual({});
  });
});

describe("the server of an api", () => {
  const getClientSecret = async () => "ek_1";

  test("stays the same with other functions, not with another URL or kind", () => {
    expect(sameServer({ getClientSecret }, { getClientSecret: async () => "ek_2" })).toBe(true);
    expect(sameServer({ url: "/a" }, { url: "/a", domainKey: "dk", fetch })).toBe(true);
    expect(sameServer({ url: "/a" }, { url: "/b" })).toBe(false);
    expect(sameServer({ getClientSecret }, { getClientSecret, url: "/a" })).toBe(false);
    expect(sameServer({ url: "/a" }, { getClientSecret, url: "/a" })).toBe(false);
  });

  test("takes files beside the conversation when it is hosted", () => {
    const of = (api: Api) => uploadStrategyOf(api, "https://chat.example");
    const direct = (uploadUrl: string) => ({ type: "direct", uploadUrl });
    expect(of({ getClientSecret })).toEqual(direct("https://chat.example/v1/chatkit/files"));
    expect(of({ getClientSecret, url: "https://a.example/x/v1/chatkit/conversation" })).toEqual(
      direct("https://a.example/x/v1/chatkit/files"),
    );
    expect(of({ getClientSecret, uploadStrategy: { type: "two_phase" } })).toEqual({ type: "two_phase" });
    expect(of({ url: "/chat", uploadStrategy: { type: "two_phase" } })).toEqual({ type: "two_phase" });
    expect(of({ url: "/chat" })).toBeNull();
  });
});
