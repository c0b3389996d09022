import { afterEach, describe, expect, test, vi } from "vitest";
import { type Frame, readFrames, SseParser } from "../src/core/sse.ts";
import { NetworkError } from "../src/core/transport.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function parse(...chunks: Uint8Array[]): Frame[] {
  const parser = new SseParser();
  return chunks.flatMap((chunk) => parser.push(chunk));
}

const parseText = (text: string) => parse(bytes(text));
const message = (data: string, event = "message") => ({ data, event });

describe("the parser", () => {
  const lines = [
    ": hello",
    "id: run_1:1",
    'data: {"text":"Grüße 🌊"}',
    "",
    "event: custom",
    "data:no space",
    "data:  two spaces",
    "data",
    "",
    ":",
    "id: run_1:2",
    "unknown: field",
    " data: a space before",
    "retry: 10",
    "data: x:y",
    "",
    "id: never\0",
    "event: nothing",
    "",
    "data",
    "",
    "id: run_1:3",
    "",
    ": completed",
    "",
    "id: never finished",
    "data: never finished",
  ];
  const frames = [
    { comment: "hello" },
    message('{"text":"Grüße 🌊"}'),
    { id: "run_1:1" },
    message("no space\n two spaces\n", "custom"),
    { comment: "" },
    message("x:y"),
    { id: "run_1:2" },
    message(""),
    { id: "run_1:3" },
    { comment: "completed" },
  ];

  const mixed = lines.map((line, index) => line + (line === "" ? "\r\n" : ["\r", "\n"][index % 2])).join("");
  const streams = { LF: lines.join("\n"), CR: lines.join("\r"), CRLF: lines.join("\r\n"), mixed };

  test.each(Object.entries(streams))("%s: the same frames wherever the bytes are cut", (_, text) => {
    for (const stream of [bytes(text), bytes(`\ufeff${text}`)]) {
      for (let cut = 0; cut <= stream.length; cut += 1) {
        expect(parse(stream.slice(0, cut), stream.slice(cut)), `cut at ${cut}`).toEqual(frames);
      }
    }
  });

  test.each(Object.entries(streams))("%s: the same frames byte by byte, with empty chunks between", (_, text) => {
    const chunks = [...bytes(`\ufeff${text}`)].flatMap((byte) => [new Uint8Array(), Uint8Array.of(byte)]);
    expect(parse(...chunks)).toEqual(frames);
  });

  test("a CR ends a line at once, without waiting for the byte after it", () => {
    expect(parseText("data: now\r\r")).toEqual([message("now")]);
  });

  test("a second byte order mark belongs to the field's name", () => {
    expect(parseText("\ufeff\ufeffdata: a\n\n")).toEqual([]);
  });

  test("an id comes behind the data of its block, the last one counts, one with NUL is ignored", () => {
    const seen = parseText("id: 0\nid: 1\ndata: a\n\ndata: b\n\nid: 2\0\ndata: c\n\nid\ndata: d\n\n");
    expect(seen).toEqual([message("a"), { id: "1" }, message("b"), message("c"), message("d"), { id: "" }]);
  });

  test("an event without data is no event, but its id counts and its name does not stay", () => {
    expect(parseText("event: x\nid: 9\n\ndata: a\n\n")).toEqual([{ id: "9" }, message("a")]);
  });

  // Looking at a line again with each of its pieces would take minutes.
  test("a line of 8 MB that comes in pieces of 64 bytes is little work", { timeout: 5000 }, () => {
    const parser = new SseParser();
    const piece = bytes("x".repeat(64));
    parser.push(bytes("data: "));
    for (let sent = 0; sent < 1 << 23; sent += piece.length) parser.push(piece);
    const frames = parser.push(bytes("\n\n"));
    expect(frames.map((frame) => "data" in frame && frame.data.length)).toEqual([1 << 23]);
  });
});

describe("the body", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  const source = (pull: (controller: ReadableStreamDefaultController<Uint8Array>) => void, cancel = vi.fn()) => ({
    body: new ReadableStream<Uint8Array>({ start: pull, cancel }),
    cancel,
  });

  async function collect(body: ReadableStream<Uint8Array>, idleMs?: number) {
    const seen: Frame[] = [];
    const reading = (async () => {
      for await (const frame of readFrames(body, idleMs === undefined ? {} : { idleMs })) seen.push(frame);
    })();
    const error = await reading.then(
      () => null,
      (reason: unknown) => reason,
    );
    return { seen, error };
  }

  test("ends where the body ends, drops what is unfinished and leaves no timer", async () => {
    vi.useFakeTimers();
    const { body } = source((stream) => {
      stream.enqueue(bytes("data: a\n\n: completed\n\ndata: b\n"));
      stream.close();
    });
    expect(await collect(body)).toEqual({ seen: [message("a"), { comment: "completed" }], error: null });
    expect(vi.getTimerCount()).toBe(0);
  });

  test("silence for longer than is allowed is an error, and closes the connection", async () => {
    const { body, cancel } = source((stream) => stream.enqueue(bytes(": hi\n")));
    const { seen, error } = await collect(body, 20);
    expect(seen).toEqual([{ comment: "hi" }]);
    expect(error).toBeInstanceOf(NetworkError);
    expect(cancel).toHaveBeenCalledOnce();
  });

  test("a keep-alive is no silence", async () => {
    vi.useFakeTimers();
    let stream: ReadableStreamDefaultController<Uint8Array> | undefined;
    const { body } = source((controller) => {
      stream = controller;
    });
    const reading = collect(body);
    for (let tick = 0; tick < 5; tick += 1) {
      await vi.advanceTimersByTimeAsync(44_000);
      stream?.enqueue(bytes(":\n"));
    }
    await vi.advanceTimersByTimeAsync(45_001);
    const { seen, error } = await reading;
    expect(seen).toHaveLength(5);
    expect(error).toMatchObject({ name: "NetworkError", message: "The server was silent for 45000 ms." });
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a connection that breaks is a NetworkError with its cause", async () => {
    const cause = new TypeError("network error");
    const { body } = source((stream) => stream.error(cause));
    const { error } = await collect(body);
    expect(error).toBeInstanceOf(NetworkError);
    expect(error).toMatchObject({ cause });
  });

  test("what the signal aborted with passes as it is", async () => {
    const reason = new DOMException("stopped", "AbortError");
    const { body } = source((stream) => stream.error(reason));
    expect((await collect(body)).error).toBe(reason);
  });

  test("leaving the loop closes the connection", async () => {
    const { body, cancel } = source((stream) => stream.enqueue(bytes("data: a\n\ndata: b\n\n")));
    for await (const frame of readFrames(body)) {
      expect(frame).toEqual(message("a"));
      break;
    }
    expect(cancel).toHaveBeenCalledOnce();
  });
});
