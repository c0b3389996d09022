/**
 * Server-sent events over the body of a `fetch`, as the WHATWG HTML standard parses them. `EventSource` cannot POST.
 *
 * Comments are kept and stand in their place: the last one of a stream says how the run ended.
 */

import { NetworkError } from "./transport.ts";

/**
 * `event` is "message" unless it was named. An `id` names the data above it, up to the id before: a block with both is
 * data and then an id, since it may be resumed from only once its data was read.
 */
export type Frame = { data: string; event: string } | { id: string } | { comment: string };

/** Turns bytes, cut anywhere, into frames. Takes time in proportion to the bytes, however long a line is. */
export class SseParser {
  // Takes one byte order mark off, and joins characters that were cut.
  readonly #decoder = new TextDecoder();
  #rest = "";
  #afterCarriageReturn = false;
  #data: string[] = [];
  #event = "";
  #id: string | null = null;

  push(bytes: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    const text = this.#decoder.decode(bytes, { stream: true });
    if (text === "") return frames;
    // A CR ends its line at once; the LF of a CRLF may come with the next chunk.
    let start = this.#afterCarriageReturn && text[0] === "\n" ? 1 : 0;
    this.#afterCarriageReturn = text.endsWith("\r");
    const lineEnd = /\r\n?|\n/g;
    lineEnd.lastIndex = start;
    for (let end = lineEnd.exec(text); end; end = lineEnd.exec(text)) {
      this.#line(this.#rest + text.slice(start, end.index), frames);
      this.#rest = "";
      start = lineEnd.lastIndex;
    }
    this.#rest += text.slice(start);
    return frames;
  }

  #line(line: string, frames: Frame[]): void {
    if (line === "") {
      if (this.#data.length) frames.push({ data: this.#data.join("\n"), event: this.#event || "message" });
      if (this.#id !== null) frames.push({ id: this.#id });
      this.#data = [];
      this.#event = "";
      this.#id = null;
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (colon === 0) frames.push({ comment: value });
    else if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
  }
}

/**
 * The frames of a response's body; what is unfinished at its end is dropped, as the standard says.
 *
 * Throws `NetworkError` when nothing at all, not even a comment, came for `idleMs` (milliseconds, 45,000) and when the
 * connection breaks. What the request's signal aborted with passes as it is. Leaving the loop closes the connection.
 */
export async function* readFrames(
  body: ReadableStream<Uint8Array>,
  { idleMs = 45_000 }: { idleMs?: number } = {},
): AsyncGenerator<Frame, void, undefined> {
  const reader = body.getReader();
  const parser = new SseParser();
  try {
    for (;;) {
      const { value, done } = await withinMs(idleMs, reader.read());
      if (done) return;
      yield* parser.push(value);
    }
  } catch (error) {
    // What every engine throws for a body that was cut.
    if (error instanceof TypeError) throw new NetworkError("The connection broke.", { cause: error });
    throw error;
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function withinMs<T>(ms: number, read: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NetworkError(`The server was silent for ${ms} ms.`)), ms);
  });
  return Promise.race([read, silence]).finally(() => clearTimeout(timer));
}
