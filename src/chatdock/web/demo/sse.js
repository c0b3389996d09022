// Server-sent events over a fetch body, as the WHATWG HTML standard parses them. EventSource itself cannot POST.
// Comments are kept: the last one of a stream says how the run ended.

/** Turns bytes, cut anywhere, into `{data, id, event}` and `{comment}` in the order in which they stand. */
export class SseParser {
  #decoder = new TextDecoder(); // strips one byte order mark and joins characters cut between chunks
  #rest = "";
  #afterCarriageReturn = false;
  #data = [];
  #event = "";
  #lastId = "";

  push(bytes) {
    const text = this.#decoder.decode(bytes, { stream: true });
    const frames = [];
    let start = 0;
    if (text && this.#afterCarriageReturn) {
      this.#afterCarriageReturn = false;
      if (text[0] === "\n") start = 1;
    }
    const lineEnd = /\r\n?|\n/g;
    lineEnd.lastIndex = start;
    for (let match; (match = lineEnd.exec(text)); start = lineEnd.lastIndex) {
      this.#line(this.#rest + text.slice(start, match.index), frames);
      this.#rest = "";
      // A line may end with a CR here and its LF come with the next chunk.
      this.#afterCarriageReturn = match[0] === "\r" && lineEnd.lastIndex === text.length;
    }
    this.#rest += text.slice(start);
    return frames;
  }

  #line(line, frames) {
    if (line === "") {
      if (this.#data.length) {
        frames.push({ data: this.#data.join("\n"), id: this.#lastId, event: this.#event || "message" });
      }
      this.#data = [];
      this.#event = "";
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (colon === 0) frames.push({ comment: value });
    else if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#lastId = value;
  }
}

/** The frames of a response body. Throws when nothing at all, not even a keep-alive, came for `idleMs`. */
export async function* readFrames(body, { idleMs = 45_000 } = {}) {
  const reader = body.getReader();
  const parser = new SseParser();
  try {
    for (;;) {
      let timer;
      const silence = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no byte for ${idleMs} ms`)), idleMs);
      });
      const { value, done } = await Promise.race([reader.read(), silence]).finally(() => clearTimeout(timer));
      if (done) return;
      yield* parser.push(value);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
