import { afterEach, describe, expect, test, vi } from "vitest";
import { acceptAttribute, fileProblem } from "../src/core/accept.ts";
import type { Api } from "../src/core/options.ts";
import { createTransport, uploadStrategyOf } from "../src/core/server.ts";
import { ApiError, NetworkError } from "../src/core/transport.ts";
import { upload } from "../src/core/uploads.ts";

const file = new File(["hello"], "notes.txt", { type: "text/plain" });
const stored = { id: "cfile_1", type: "file", name: "notes.txt", mime_type: "text/plain" };

interface Sent {
  by: "fetch" | "page" | "xhr";
  url: string;
  method: string;
  headers: Record<string, string>;
  body: unknown;
}

/** A network that answers by URL, reached by `fetch`, by the page's fetch and by `XMLHttpRequest`. */
function network(answers: Record<string, (sent: Sent) => Response | Promise<Response>>) {
  const sent: Sent[] = [];
  const reach = (request: Sent) => {
    sent.push(request);
    const answer = answers[request.url];
    return answer ? answer(request) : Promise.reject(new TypeError("Failed to fetch"));
  };
  const carrier = (by: Sent["by"]) =>
    ((url: string, { method = "GET", headers, body, signal }: RequestInit) => {
      const plain = Object.fromEntries(new Headers(headers));
      const aborted = new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
      return Promise.race([reach({ by, url, method, headers: plain, body }), aborted]);
    }) as unknown as typeof globalThis.fetch;
  vi.stubGlobal("fetch", carrier("fetch"));

  class FakeXhr {
    upload: { onprogress?: (event: object) => void } = {};
    status = 0;
    statusText = "";
    responseText = "";
    onload = () => {};
    onerror = () => {};
    onabort = () => {};
    onloadend = () => {};
    #request: Sent = { by: "xhr", url: "", method: "", headers: {}, body: null };
    #headers = "";
    #isAborted = false;

    open(method: string, url: string) {
      Object.assign(this.#request, { method, url });
    }

    setRequestHeader(name: string, value: string) {
      this.#request.headers[name.toLowerCase()] = value;
    }

    getAllResponseHeaders() {
      return this.#headers;
    }

    abort() {
      this.#isAborted = true;
      this.onabort();
      this.onloadend();
    }

    async send(body: unknown) {
      this.#request.body = body;
      try {
        const response = await reach(this.#request);
        if (this.#isAborted) return;
        this.upload.onprogress?.({ lengthComputable: true, loaded: 1, total: 4 });
        this.upload.onprogress?.({ lengthComputable: false, loaded: 2, total: 0 });
        this.upload.onprogress?.({ lengthComputable: true, loaded: 4, total: 4 });
        this.status = response.status;
        this.responseText = await response.text();
        this.#headers = [...response.headers].map(([name, value]) => `${name}: ${value}\r\n`).join("");
        this.onload();
      } catch {
        this.onerror();
      }
      this.onloadend();
    }
  }
  return { sent, pageFetch: carrier("page"), FakeXhr };
}

function uploadTo(api: Api, options: { signal?: AbortSignal; onProgress?: (fraction: number | null) => void } = {}) {
  const transport = createTransport({ api: () => api, locale: () => "en", scriptOrigin: "https://chat.example" });
  return upload(file, { transport, strategy: uploadStrategyOf(api, "https://chat.example")!, ...options });
}

const partOf = (body: unknown) => (body as FormData).get("file") as File;
const getClientSecret = async () => "ek_1";
const direct: Api = {
  url: "https://api.example/chat",
  uploadStrategy: { type: "direct", uploadUrl: "https://up.example/" },
};
const twoPhase: Api = { url: "https://api.example/chat", uploadStrategy: { type: "two_phase" } };
const phases = (descriptor: object, put = () => new Response(null, { status: 204 })) => ({
  "https://api.example/chat": () => Response.json({ ...stored, ...descriptor }),
  "https://bucket.example/1": put,
});

afterEach(() => vi.unstubAllGlobals());

describe("direct", () => {
  test("posts a form with the file and gives the attachment", async () => {
    const image = { ...stored, type: "image", preview_url: "https://up.example/1.png" };
    const { sent } = network({ "https://up.example/": () => Response.json({ ...image, metadata: { own: 1 } }) });
    expect(await uploadTo(direct)).toEqual(image);
    expect(sent).toMatchObject([{ by: "fetch", method: "POST", headers: { "accept-language": "en" } }]);
    expect(await partOf(sent[0]?.body).text()).toBe("hello");
    expect(partOf(sent[0]?.body).name).toBe("notes.txt");
  });

  test("a hosted server gets the file and the secret at its own place for files", async () => {
    const { sent } = network({ "https://chat.example/v1/chatkit/files": () => Response.json(stored) });
    expect(await uploadTo({ getClientSecret })).toEqual(stored);
    expect(sent).toMatchObject([{ headers: { authorization: "Bearer ek_1" } }]);
  });

  test("an answer without an attachment is an error", async () => {
    network({ "https://up.example/": () => Response.json([]) });
    await expect(uploadTo(direct)).rejects.toBeInstanceOf(ApiError);
  });

  test("what the answer does not say is known from the file", async () => {
    network({ "https://up.example/": () => Response.json({ id: "cfile_1", name: 7 }) });
    expect(await uploadTo(direct)).toEqual(stored);
  });
});

describe("two phases", () => {
  test("PUT takes the bare bytes, without the page's fetch", async () => {
    const upload_descriptor = { url: "https://bucket.example/1", method: "PUT", headers: { "x-goog-acl": "private" } };
    const { sent, pageFetch } = network(phases({ upload_descriptor }));
    expect(await uploadTo({ ...twoPhase, fetch: pageFetch })).toEqual(stored);
    expect(JSON.parse(sent[0]?.body as string)).toEqual({
      type: "attachments.create",
      params: { name: "notes.txt", size: 5, mime_type: "text/plain" },
    });
    expect(sent.map(({ by }) => by)).toEqual(["page", "fetch"]);
    expect(sent[1]).toMatchObject({ method: "PUT" });
    expect(sent[1]?.headers).toEqual({ "x-goog-acl": "private" });
    expect(sent[1]?.body).toBe(file);
  });

  test("POST takes a form, whose type the browser says", async () => {
    const headers = { "Content-Type": "multipart/form-data", "x-token": "t" };
    const upload_descriptor = { url: "https://bucket.example/1", method: "POST", headers };
    const { sent } = network(phases({ upload_descriptor }));
    await uploadTo(twoPhase);
    expect(sent[1]).toMatchObject({ method: "POST", headers: { "x-token": "t" } });
    expect(sent[1]?.headers).not.toHaveProperty("content-type");
    expect(await partOf(sent[1]?.body).text()).toBe("hello");
  });

  test("older servers say only where, and take a form", async () => {
    const { sent } = network(phases({ upload_url: "https://bucket.example/1" }));
    await uploadTo(twoPhase);
    expect(sent[1]).toMatchObject({ url: "https://bucket.example/1", method: "POST" });
  });

  test.each([
    ["the bytes are refused", { upload_url: "https://bucket.example/1" }, /403/],
    ["the server does not say where to", {}, /where to upload/],
  ])("where %s, the attachment is taken back", async (_, descriptor, message) => {
    const { sent } = network(phases(descriptor, () => new Response("", { status: 403 })));
    await expect(uploadTo(twoPhase)).rejects.toThrow(message);
    const last = JSON.parse(sent.at(-1)?.body as string);
    expect(last).toEqual({ type: "attachments.delete", params: { attachment_id: "cfile_1" } });
  });
});

describe("progress", () => {
  test("comes from XMLHttpRequest where the browser has it", async () => {
    const { sent, FakeXhr } = network({ "https://chat.example/v1/chatkit/files": () => Response.json(stored) });
    vi.stubGlobal("XMLHttpRequest", FakeXhr);
    const onProgress = vi.fn();
    expect(await uploadTo({ getClientSecret }, { onProgress })).toEqual(stored);
    expect(onProgress.mock.calls).toEqual([[0.25], [null], [1]]);
    expect(sent).toMatchObject([{ by: "xhr", headers: { authorization: "Bearer ek_1" } }]);
  });

  test("is unknown where the page's fetch carries the file", async () => {
    const { sent, pageFetch, FakeXhr } = network({ "https://up.example/": () => Response.json(stored) });
    vi.stubGlobal("XMLHttpRequest", FakeXhr);
    const onProgress = vi.fn();
    await uploadTo({ ...direct, fetch: pageFetch }, { onProgress });
    expect(onProgress.mock.calls).toEqual([[null]]);
    expect(sent).toMatchObject([{ by: "page" }]);
  });

  test("a server that allows no preflight gets the file without progress", async () => {
    const { sent, FakeXhr } = network({
      "https://up.example/": ({ by }) =>
        by === "xhr" ? Promise.reject(new Error("preflight")) : Response.json(stored),
    });
    vi.stubGlobal("XMLHttpRequest", FakeXhr);
    const onProgress = vi.fn();
    expect(await uploadTo(direct, { onProgress })).toEqual(stored);
    expect(sent.map(({ by }) => by)).toEqual(["xhr", "fetch"]);
    expect(onProgress.mock.calls).toEqual([[null]]);
  });

  test("a refusal and a broken connection are the errors that they are elsewhere", async () => {
    const onProgress = vi.fn();
    const { FakeXhr } = network({
      "https://up.example/": () =>
        Response.json({ detail: "Too large" }, { status: 413, headers: { "retry-after": "3" } }),
    });
    vi.stubGlobal("XMLHttpRequest", FakeXhr);
    const refused = { name: "ApiError", status: 413, message: "Too large", retryAfterMs: 3000 };
    await expect(uploadTo(direct, { onProgress })).rejects.toMatchObject(refused);
    vi.stubGlobal("XMLHttpRequest", network({}).FakeXhr);
    await expect(uploadTo(direct, { onProgress })).rejects.toBeInstanceOf(NetworkError);
  });

  test.each([true, false])("an abort ends the upload (with progress: %s)", async (wantsProgress) => {
    const controller = new AbortController();
    const { sent, FakeXhr } = network({ "https://up.example/": () => new Promise(() => {}) });
    vi.stubGlobal("XMLHttpRequest", FakeXhr);
    const onProgress = vi.fn();
    const uploading = uploadTo(direct, { signal: controller.signal, ...(wantsProgress && { onProgress }) });
    await vi.waitFor(() => expect(sent).toHaveLength(1));
    controller.abort();
    await expect(uploading).rejects.toBe(controller.signal.reason);
    expect(sent).toHaveLength(1);
  });
});

describe("which files are taken", () => {
  const of = (name: string, type = "", size = 1) => ({ name, type, size });
  const MIB = 1024 * 1024;

  test.each([
    ["a type", of("a", "image/png"), { "image/png": [] }, true],
    ["a family of types", of("a", "image/webp"), { "image/*": [] }, true],
    ["an extension, whatever the type", of("a.MD"), { "text/markdown": [".md"] }, true],
    ["an extension without its dot", of("a.md"), { "text/markdown": ["md"] }, true],
    ["a type with parameters, in any case", of("a", "Text/Plain;charset=utf-8"), { "text/plain": [] }, true],
    ["everything", of("a.exe"), { "*/*": [] }, true],
    ["anything without entries", of("a.exe"), {}, true],
    ["anything without the option", of("a.exe"), undefined, true],
    ["no other type", of("a.png", "image/png"), { "image/jpeg": [".jpg"], "application/*": [] }, false],
    ["no unknown type", of("a"), { "text/markdown": [".md"] }, false],
    ["no name that merely ends alike", of("cmd"), { "text/markdown": ["md"] }, false],
  ])("accept takes %s", (_, given, accept, isTaken) => {
    expect(fileProblem(given, { ...(accept && { accept }) })).toEqual(isTaken ? null : { reason: "type" });
  });

  test.each([
    ["a number is for all", "image/png", 10, 10],
    ["without one it is 100 MiB", "image/png", undefined, 100 * MIB],
    ["the exact type first", "image/png", { "*": 1, "image/*": 2, "image/png": 3 }, 3],
    ["then the family", "image/gif", { "*": 1, "image/png": 3, "image/*": 2 }, 2],
    ["then *", "text/plain", { "*": 1, "image/*": 2 }, 1],
    ['or ""', "", { "": 1, "image/*": 2 }, 1],
    ["then 100 MiB", "text/plain", { "image/*": 2 }, 100 * MIB],
  ])("maxSize: %s", (_, type, maxSize, limit) => {
    const limits = maxSize === undefined ? {} : { maxSize };
    expect(fileProblem(of("a", type, limit), limits)).toBeNull();
    expect(fileProblem(of("a", type, limit + 1), limits)).toEqual({ reason: "size", limit });
  });

  test("the picker is told types and extensions", () => {
    expect(acceptAttribute({ "image/*": [".png", "jpg"], "text/plain": [".png"] })).toBe(
      "image/*,text/plain,.png,.jpg",
    );
    expect(acceptAttribute({ "*/*": [".png"] })).toBe("");
    expect(acceptAttribute(undefined)).toBe("");
  });
});
