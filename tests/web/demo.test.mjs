import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ApiError, ConversationClient, RunGone, backoff } from "../../src/chatdock/web/demo/client.js";
import { SseParser, readFrames } from "../../src/chatdock/web/demo/sse.js";
import { blocksOf, safeImage, safeLink } from "../../src/chatdock/web/demo/text.js";
import { emptyTranscript, lastUserMessage, pendingToolCall, reduce, reduceLive } from "../../src/chatdock/web/demo/transcript.js";

const bytes = (text) => new TextEncoder().encode(text);

function parse(...chunks) {
  const parser = new SseParser();
  return chunks.flatMap((chunk) => parser.push(chunk));
}

describe("server-sent events", () => {
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
    "retry: 10",
    "data: x",
    "",
    ": completed",
    "",
    "data: never finished",
  ];
  const frames = [
    { comment: "hello" },
    { data: '{"text":"Grüße 🌊"}', id: "run_1:1", event: "message" },
    { data: "no space\n two spaces\n", id: "run_1:1", event: "custom" },
    { comment: "" },
    { data: "x", id: "run_1:2", event: "message" },
    { comment: "completed" },
  ];

  for (const [name, end] of [["LF", "\n"], ["CR", "\r"], ["CRLF", "\r\n"]]) {
    const stream = bytes(lines.join(end));

    test(`${name}: the same frames wherever the bytes are cut`, () => {
      for (let cut = 0; cut <= stream.length; cut += 1) {
        assert.deepEqual(parse(stream.slice(0, cut), stream.slice(cut)), frames, `cut at ${cut}`);
      }
    });

    test(`${name}: the same frames byte by byte, with empty chunks between`, () => {
      const chunks = [...stream].flatMap((byte) => [new Uint8Array(), Uint8Array.of(byte)]);
      assert.deepEqual(parse(...chunks), frames);
    });
  }

  test("a CR ends a line at once, without waiting for the byte after it", () => {
    assert.deepEqual(parse(bytes("data: now\r\r")), [{ data: "now", id: "", event: "message" }]);
  });

  test("line ends may be mixed", () => {
    assert.equal(parse(bytes("data: a\rdata: b\r\ndata: c\n\r\n"))[0].data, "a\nb\nc");
  });

  test("one byte order mark is skipped, cut or not, and a second one belongs to the field", () => {
    const marked = Uint8Array.of(0xef, 0xbb, 0xbf, ...bytes("data: a\n\n"));
    for (let cut = 0; cut <= marked.length; cut += 1) {
      assert.deepEqual(parse(marked.slice(0, cut), marked.slice(cut)), [{ data: "a", id: "", event: "message" }]);
    }
    assert.deepEqual(parse(bytes("\ufeff\ufeffdata: a\n\n")), []);
  });

  test("an id holds for the events after it, an empty one clears it, one with NUL is ignored", () => {
    const seen = parse(bytes("id: 1\ndata: a\n\ndata: b\n\nid: 2\0\ndata: c\n\nid\ndata: d\n\n"));
    assert.deepEqual(seen.map(({ id }) => id), ["1", "1", "1", ""]);
  });

  test("an event without data is not an event", () => {
    assert.deepEqual(parse(bytes("event: x\nid: 9\n\ndata: a\n\n")), [{ data: "a", id: "9", event: "message" }]);
  });

  test("a body that falls silent is cut", async () => {
    let cancelled = false;
    const silent = new ReadableStream({ start: (body) => body.enqueue(bytes(": hi\n")), cancel: () => void (cancelled = true) });
    const seen = [];
    await assert.rejects(async () => {
      for await (const frame of readFrames(silent, { idleMs: 20 })) seen.push(frame);
    }, /no byte for 20 ms/);
    assert.deepEqual(seen, [{ comment: "hi" }]);
    assert.equal(cancelled, true);
  });
});

describe("the transcript", () => {
  const thread = { id: "cthr_1", title: null, status: { type: "active" } };
  const user = (id, text = "Hi") => ({ id, thread_id: "cthr_1", type: "user_message", content: [{ type: "input_text", text }] });
  const assistant = (id, ...texts) => ({
    id,
    thread_id: "cthr_1",
    type: "assistant_message",
    content: texts.map((text) => ({ type: "output_text", text, annotations: [] })),
  });
  const added = (item) => ({ type: "thread.item.added", item });
  const done = (item) => ({ type: "thread.item.done", item });
  const updated = (item_id, type, rest) => ({ type: "thread.item.updated", item_id, update: { type, ...rest } });
  const delta = (item_id, text, content_index = 0) =>
    updated(item_id, "assistant_message.content_part.text_delta", { content_index, delta: text });
  const play = (events, from = emptyTranscript) => events.reduce((state, event, n) => reduce(state, event, `run:${n}`), from);
  const ids = (state) => state.items.map((item) => item.id);
  const textOf = (state, id) => state.items.find((item) => item.id === id).content.map((part) => part.text).join("|");

  test("a turn: the message on its way becomes the server's, text grows, the end is the whole item", () => {
    const started = play([
      { type: "page.message_sent", text: "Hi" },
      { type: "page.turn_started" },
      { type: "thread.created", thread: { ...thread, items: { data: [] } } },
      done(user("u1")),
      { type: "progress_update", text: "Looking" },
    ]);
    assert.deepEqual(ids(started), ["u1"]);
    assert.equal(started.progress.text, "Looking");
    assert.equal("items" in started.thread, false);

    const growing = play([added(assistant("a1")), delta("a1", "Hel"), delta("a1", "lo")], started);
    assert.equal(textOf(growing, "a1"), "Hello");
    assert.deepEqual(growing.open, ["a1"]);
    assert.equal(growing.progress, null);

    const ended = play([done(assistant("a1", "Hello.")), { type: "page.turn_ended", outcome: "completed" }], growing);
    assert.equal(textOf(ended, "a1"), "Hello.");
    assert.deepEqual([ended.open, ended.running], [[], false]);
  });

  test("a snapshot on resume replaces what is there and doubles nothing", () => {
    const before = play([done(user("u1")), added(assistant("a1")), delta("a1", "Hel")]);
    const after = play([done(user("u1")), added(assistant("a1", "Hello wor")), delta("a1", "ld")], before);
    assert.deepEqual(ids(after), ["u1", "a1"]);
    assert.equal(textOf(after, "a1"), "Hello world");
  });

  test("a notice that is replayed under the same id shows once", () => {
    const notice = { type: "notice", level: "info", message: "Careful" };
    const state = reduce(reduce(emptyTranscript, notice, "run:4"), notice, "run:4");
    assert.equal(state.items.length, 1);
    assert.equal(reduce(state, notice, "run:5").items.length, 2);
  });

  test("unknown, misplaced and incomplete events change nothing and never throw", () => {
    const state = play([done(user("u1")), done(assistant("a1", "Hello"))]);
    const strange = [
      { type: "thread.item.exploded" },
      { type: "thread.item.done" },
      { type: "thread.item.added", item: null },
      { type: "thread.item.updated", item_id: "a1" },
      { type: "thread.created" },
      delta("missing", "x"),
      delta("u1", "x"),
      delta("a1", "x", 1e9),
      updated("a1", "assistant_message.content_part.sung", { content_index: 0 }),
      updated("a1", "assistant_message.content_part.text_delta", { content_index: "0", delta: "x" }),
      updated("u1", "workflow.task.added", { task_index: 0, task: {} }),
      updated("u1", "widget.component.updated", { component_id: "x", component: {} }),
      { type: "thread.item.removed", item_id: "missing" },
      done({ id: "e1", type: "end_of_turn" }),
      done({ id: "h1", type: "hidden_context_item" }),
    ];
    const content = ({ items }) => items.map(({ id, content }) => ({ id, content }));
    assert.deepEqual(content(play(strange, state)), content(state));
  });

  test("a delta before its part, and parts out of order, still land in place", () => {
    const state = play([added(assistant("a1")), delta("a1", "second", 1), delta("a1", "first", 0)]);
    assert.equal(textOf(state, "a1"), "first|second");
  });

  test("an event leaves the state before it as it was", () => {
    const before = play([added(assistant("a1", "a"))]);
    const copy = structuredClone(before);
    play([delta("a1", "b"), done(assistant("a2", "c"))], before);
    assert.deepEqual(before, copy);
  });

  test("items are replaced in place and removed by id", () => {
    const state = play([done(user("u1")), done(assistant("a1", "x")), done(assistant("a2", "y"))]);
    const replaced = play([{ type: "thread.item.replaced", item: assistant("a1", "z") }], state);
    assert.deepEqual([ids(replaced), textOf(replaced, "a1")], [["u1", "a1", "a2"], "z"]);
    assert.deepEqual(ids(play([{ type: "thread.item.removed", item_id: "a1" }], replaced)), ["u1", "a2"]);
  });

  test("annotations, tasks, images and widgets are updated inside their item", () => {
    const widget = { type: "Card", children: [{ type: "Row", children: [{ type: "Text", id: "t", value: "a" }] }, { type: "Text", id: "s" }] };
    const state = play([
      added(assistant("a1", "x")),
      updated("a1", "assistant_message.content_part.annotation_added", { content_index: 0, annotation_index: 0, annotation: { n: 1 } }),
      added({ id: "w1", type: "workflow", workflow: { type: "reasoning", tasks: [] } }),
      updated("w1", "workflow.task.added", { task_index: 0, task: { title: "a" } }),
      updated("w1", "workflow.task.updated", { task_index: 0, task: { title: "b" } }),
      added({ id: "i1", type: "generated_image" }),
      updated("i1", "generated_image.updated", { image: { id: "x", url: "/x.png" }, progress: 0.5 }),
      added({ id: "g1", type: "widget", widget }),
      updated("g1", "widget.streaming_text.value_delta", { component_id: "t", delta: "b", done: false }),
      updated("g1", "widget.component.updated", { component_id: "s", component: { type: "Text", id: "s", value: "new" } }),
    ]);
    const [message, workflow, image, card] = state.items;
    assert.deepEqual(message.content[0].annotations, [{ n: 1 }]);
    assert.deepEqual(workflow.workflow.tasks, [{ title: "b" }]);
    assert.equal(image.progress, 0.5);
    assert.equal(card.widget.children[0].children[0].value, "ab");
    assert.equal(card.widget.children[1].value, "new");
    assert.equal(widget.children[0].children[0].value, "a");
  });

  test("a repeated turn keeps the old answer until the first event of the new one", () => {
    const failed = play([done(user("u1")), done(assistant("a1", "br")), { type: "error", allow_retry: true }]);
    assert.equal(lastUserMessage(failed).id, "u1");
    const waiting = reduce(failed, { type: "page.turn_started", retryFrom: "u1" });
    assert.deepEqual(ids(waiting), ["u1", "a1"]);
    const first = reduceLive(waiting, { type: "thread.item.removed", item_id: "a1" }, "run:9");
    const second = reduceLive(first, added(assistant("a2")), "run:10");
    assert.deepEqual(ids(second), ["u1", "a2"]);
  });

  test("a run that failed without a word still says so, once", () => {
    const errors = (state) => state.items.filter((item) => item.kind === "error");
    const silent = play([done(user("u1")), { type: "page.turn_ended", outcome: "failed" }]);
    assert.equal(errors(silent)[0].retry, true);
    const told = play([done(user("u1")), { type: "error", message: "No." }, { type: "page.turn_ended", outcome: "failed" }]);
    assert.deepEqual(errors(told).map(({ message }) => message), ["No."]);
  });

  test("a tool call is pending only while nothing was said after it", () => {
    const call = { id: "c1", type: "client_tool_call", status: "pending", name: "x", arguments: {} };
    const asked = play([done(user("u1")), done(call), { type: "notice", message: "Wait" }]);
    assert.equal(pendingToolCall(asked).id, "c1");
    assert.equal(pendingToolCall(play([done(user("u2"))], asked)), null);
    assert.equal(pendingToolCall(play([done({ ...call, status: "completed" })], asked)), null);
  });

  test("titles and status arrive without touching the items", () => {
    const state = play([done(user("u1")), { type: "thread.updated", thread: { ...thread, title: "Tides", status: { type: "locked" } } }]);
    assert.deepEqual([state.thread.title, state.thread.status.type, ids(state)], ["Tides", "locked", ["u1"]]);
  });
});

describe("the client", () => {
  const frame = (n, event) => `id: run_1:${n}\ndata: ${JSON.stringify(event)}\n\n`;
  const event = (n) => ({ type: "progress_update", text: String(n) });
  const created = { type: "thread.created", thread: { id: "cthr_1" } };
  const stream = (text, broken = false) =>
    new Response(
      new ReadableStream({
        start: (body) => void (text && body.enqueue(bytes(text))),
        pull: (body) => (broken ? body.error(new TypeError("network error")) : body.close()),
      }),
    );
  const failure = (status, message = "no") => new Response(JSON.stringify({ error: { message } }), { status });

  /** A client whose conversation requests are answered by the replies in turn. */
  function scripted(...replies) {
    const requests = [];
    let minted = 0;
    const fetch = async (url, { headers, body }) => {
      if (url === "/demo/session") {
        minted += 1;
        const session = { client_secret: `ek_${minted}`, expires_at: Date.now() / 1000 + 600, workflow: "wf_demo" };
        return new Response(JSON.stringify(session));
      }
      requests.push({ ...JSON.parse(body), key: headers["idempotency-key"], secret: headers.authorization });
      const reply = replies.shift();
      if (!reply) throw new TypeError("Failed to fetch");
      return reply;
    };
    const seen = [];
    const client = new ConversationClient({ fetch, pauseFor: async () => {} });
    const run = (type = "threads.create", params = {}) =>
      client.run(type, params, { key: "key", onEvent: (event) => seen.push(event.text ?? event.type) });
    return { client, run, requests, seen, minted: () => minted };
  }

  test("a cut stream is resumed after the last id, and every event is seen once", async () => {
    const { run, requests, seen } = scripted(
      stream(frame(1, created) + frame(2, event(2)) + "id: run_1:3\ndata: {"),
      failure(503),
      stream(frame(2, event(2)) + frame(3, event(3)), true),
      stream(frame(4, event(4)) + ": completed\n\n"),
    );
    assert.equal(await run(), "completed");
    assert.deepEqual(seen, ["thread.created", "2", "3", "4"]);
    assert.deepEqual(requests.slice(1).map(({ type, params }) => [type, params.thread_id, params.starting_after]), [
      ["threads.resume", "cthr_1", "run_1:2"],
      ["threads.resume", "cthr_1", "run_1:2"],
      ["threads.resume", "cthr_1", "run_1:3"],
    ]);
  });

  test("a request that was never answered is sent again under the same key", async () => {
    const { run, requests } = scripted(undefined, stream(""), failure(502), stream(frame(1, created) + ": completed\n"));
    assert.equal(await run(), "completed");
    assert.deepEqual(requests.map(({ type, key }) => [type, key]), Array(4).fill(["threads.create", "key"]));
  });

  test("a server that stays away is given up on", async () => {
    const { run, requests } = scripted();
    await assert.rejects(run(), TypeError);
    assert.equal(requests.length, 6);
  });

  for (const outcome of ["completed", "failed", "cancelled", "waiting"]) {
    test(`": ${outcome}" is an end, a keep-alive is not`, async () => {
      const { run, requests } = scripted(stream(`: keep-alive\n${frame(1, created)}: ${outcome}\n\n`));
      assert.equal(await run(), outcome);
      assert.equal(requests.length, 1);
    });
  }

  test("a run that is no longer known means reloading the thread", async () => {
    const { run } = scripted(stream(frame(1, created)), failure(404));
    await assert.rejects(run(), RunGone);
  });

  test("so does a path that swallows the last comment, once the server says that the run is over", async () => {
    const nothing = () => stream("");
    const stored = new Response(JSON.stringify({ id: "cthr_1" }));
    const { run, requests } = scripted(stream(frame(1, created)), nothing(), nothing(), nothing(), stored);
    await assert.rejects(run(), RunGone);
    assert.equal(requests.at(-1).type, "threads.get_by_id");
  });

  test("a snapshot that was cut is asked for as a whole again", async () => {
    const { run, requests } = scripted(stream(frame(7, event(7))), stream(frame(7, event(7)) + ": completed\n"));
    assert.equal(await run("threads.resume", { thread_id: "cthr_1" }), "completed");
    assert.deepEqual(requests.map(({ params }) => params.starting_after), [undefined, undefined]);
  });

  test("a 401 mints one new secret, and only one", async () => {
    const once = scripted(failure(401), stream(": completed\n"));
    assert.equal(await once.run(), "completed");
    assert.deepEqual(once.requests.map(({ secret }) => secret), ["Bearer ek_1", "Bearer ek_2"]);

    const twice = scripted(failure(401), failure(401));
    await assert.rejects(twice.run(), (error) => error instanceof ApiError && error.status === 401);
    assert.equal(twice.minted(), 2);
  });

  test("a refusal is reported with its message and not repeated", async () => {
    const { run, requests } = scripted(failure(409, "This thread is locked."));
    await assert.rejects(run(), /This thread is locked\./);
    assert.equal(requests.length, 1);
  });

  test("waits grow to ten seconds and are never all the same", () => {
    assert.deepEqual([1, 2, 3, 9].map((n) => backoff(n, () => 0)), [500, 1000, 2000, 10_000]);
    assert.equal(backoff(1, () => 1), 375);
  });
});

describe("text", () => {
  test("paragraphs and fences, also while a fence is still open", () => {
    assert.deepEqual(blocksOf("a\nb\n\nc\n```py\nx\n\ny\n```\nd"), [
      { kind: "text", text: "a\nb" },
      { kind: "text", text: "c" },
      { kind: "code", text: "x\n\ny", language: "py" },
      { kind: "text", text: "d" },
    ]);
    assert.deepEqual(blocksOf("~~~~\n```\nx"), [{ kind: "code", text: "```\nx", language: "" }]);
    assert.deepEqual(blocksOf("use ```inline``` code"), [{ kind: "text", text: "use ```inline``` code" }]);
    assert.deepEqual(blocksOf(""), []);
  });

  test("only harmless links and images pass", () => {
    assert.equal(safeLink("https://example.org/a"), "https://example.org/a");
    for (const url of ["javascript:alert(1)", "data:text/html,x", "//example.org", " https://x", undefined]) assert.equal(safeLink(url), null);
    const here = "https://chat.example";
    assert.equal(safeImage("/files/a.png", here), "/files/a.png");
    assert.equal(safeImage("data:image/png;base64,AA==", here), "data:image/png;base64,AA==");
    for (const url of ["https://other.example/a.png", "data:text/html,x", "http://chat.example/a.png", "javascript:1", "", null]) {
      assert.equal(safeImage(url, here), null);
    }
  });
});
