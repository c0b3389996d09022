import { describe, expect, test } from "vitest";
import { reduce } from "../src/core/reduce.ts";
import {
  emptyTranscript,
  lastUserMessage,
  PENDING_ID,
  pendingToolCall,
  type Transcript,
} from "../src/core/transcript.ts";
import {
  added,
  assistant,
  created,
  delta,
  done,
  removed,
  replaced,
  thread,
  toolCall,
  updated,
  user,
} from "./script.ts";

// biome-ignore lint/suspicious/noExplicitAny: what a test sends may be anything
type Loose = any;

const play = (events: Loose[], from: Transcript = emptyTranscript) =>
  events.reduce<Transcript>((state, event, n) => reduce(state, event, `crun_1:${n + 1}`) ?? state, from);
const ids = ({ entries }: Transcript) => entries.map(({ id }) => id);
const entry = (state: Transcript, id: string): Loose => state.entries.find((each) => each.id === id);
const textOf = (state: Transcript, id: string) =>
  entry(state, id)
    .content.map((part: Loose) => part.text)
    .join("|");
const sent = { type: "local.message_sent", message: { content: [{ type: "input_text", text: "Hi" }] } };

describe("a turn", () => {
  test("the message on its way becomes the server's in its place, text grows, the end is the whole item", () => {
    const started = play([
      sent,
      { type: "local.turn_started" },
      created({ items: { data: [] } }),
      done(user("u1")),
      { type: "progress_update", text: "Looking", icon: "search" },
    ]);
    expect(ids(started)).toEqual(["u1"]);
    expect(started.progress).toEqual({ text: "Looking", icon: "search" });
    expect(started.thread).toEqual(thread());

    const growing = play([added(assistant("a1")), delta("a1", "Hel"), delta("a1", "lo")], started);
    expect(textOf(growing, "a1")).toBe("Hello");
    expect([...growing.open]).toEqual(["a1"]);
    expect(growing.progress).toBeNull();

    const ended = play([done(assistant("a1", "Hello.")), { type: "local.turn_ended" }], growing);
    expect(textOf(ended, "a1")).toBe("Hello.");
    expect([ended.open.size, ended.running]).toEqual([0, false]);
  });

  test("an item may be done without having been added", () => {
    expect(ids(play([done(assistant("a1", "x"))]))).toEqual(["a1"]);
  });

  test("progress is replaced by the next, and gone when the turn ends", () => {
    const one = play([
      { type: "progress_update", text: "One", icon: "x" },
      { type: "progress_update", text: "Two" },
    ]);
    expect(one.progress).toEqual({ text: "Two" });
    expect(play([{ type: "local.turn_ended" }], one).progress).toBeNull();
  });

  test("stream options say whether it can be stopped, until the next turn", () => {
    const state = play([{ type: "stream_options", stream_options: { allow_cancel: false } }]);
    expect(state.allowCancel).toBe(false);
    expect(play([{ type: "local.turn_started" }], state).allowCancel).toBe(true);
  });

  test("a refused message leaves nothing behind", () => {
    expect(ids(play([sent]))).toEqual([PENDING_ID]);
    expect(play([sent, { type: "local.message_refused" }]).entries).toEqual([]);
  });

  test("a repeated turn keeps the old answer until its first event", () => {
    const before = play([
      done(user("u1")),
      done(assistant("a1", "old")),
      { type: "notice", level: "info", message: "n" },
    ]);
    const waiting = play([{ type: "local.turn_started", retryFrom: "u1" }], before);
    expect(ids(waiting)).toEqual(["u1", "a1", "note:crun_1:3"]);
    const skipped = reduce(waiting, { type: "thread.item.exploded" } as Loose);
    expect(skipped).toBeNull();
    const begun = play([{ type: "stream_options", stream_options: { allow_cancel: true } }, removed("a1")], waiting);
    expect(ids(begun)).toEqual(["u1"]);
    expect(ids(play([added(assistant("a2"))], begun))).toEqual(["u1", "a2"]);
    // What a server keeps of the turn it tells again.
    expect(ids(play([removed("a2"), done(assistant("a1", "x"))], waiting))).toEqual(["u1", "a1"]);
  });
});

describe("items", () => {
  test("deltas before their part, and parts out of order, land in place", () => {
    const state = play([added(assistant("a1")), delta("a1", "third", 2), delta("a1", "first", 0)]);
    expect(textOf(state, "a1")).toBe("first||third");
  });

  test("replaced keeps its position, removed is gone", () => {
    const state = play([done(user("u1")), done(assistant("a1", "x")), done(assistant("a2", "y"))]);
    const after = play([replaced(assistant("a1", "z"))], state);
    expect([ids(after), textOf(after, "a1")]).toEqual([["u1", "a1", "a2"], "z"]);
    expect(entry(after, "a2")).toBe(entry(state, "a2"));
    expect(ids(play([removed("a1")], after))).toEqual(["u1", "a2"]);
  });

  test("annotations are inserted at their index", () => {
    const note = (n: number) => ({ type: "annotation", source: { type: "file", filename: `${n}`, title: "x" } });
    const add = (n: number, at: number) =>
      updated("a1", "assistant_message.content_part.annotation_added", {
        content_index: 0,
        annotation_index: at,
        annotation: note(n),
      });
    const state = play([added(assistant("a1", "x")), add(1, 0), add(3, 1), add(2, 1), add(4, 99)]);
    expect(entry(state, "a1").content[0].annotations).toEqual([note(1), note(2), note(3), note(4)]);
  });

  test("tasks, images and widgets change inside their item, and nothing before them changes", () => {
    const widget = {
      type: "Card",
      children: [{ type: "Row", children: { type: "Text", id: "t", value: "a" } }, null, { type: "Text", id: "s" }],
    };
    const before = play([
      added({ id: "w1", type: "workflow", workflow: { type: "reasoning", tasks: [] } }),
      added({ id: "i1", type: "generated_image" }),
      added({ id: "g1", type: "widget", widget }),
    ]);
    const state = play(
      [
        updated("w1", "workflow.task.added", { task_index: 0, task: { type: "custom", title: "b" } }),
        updated("w1", "workflow.task.added", { task_index: 0, task: { type: "custom", title: "a" } }),
        updated("w1", "workflow.task.updated", { task_index: 1, task: { type: "custom", title: "c" } }),
        updated("i1", "generated_image.updated", { image: { id: "x", url: "/x.png" }, progress: 7 }),
        updated("g1", "widget.streaming_text.value_delta", { component_id: "t", delta: "b", done: false }),
        updated("g1", "widget.component.updated", {
          component_id: "s",
          component: { type: "Text", id: "s", value: "n" },
        }),
      ],
      before,
    );
    expect(entry(state, "w1").workflow.tasks.map((task: Loose) => task.title)).toEqual(["a", "c"]);
    expect(entry(state, "i1").progress).toBe(1);
    expect(entry(state, "g1").widget.children[0].children.value).toBe("ab");
    expect(entry(state, "g1").widget.children[2].value).toBe("n");
    expect(entry(before, "g1").widget).toEqual(widget);
    expect(entry(before, "w1").workflow.tasks).toEqual([]);
    const root = { type: "ListView", children: [] };
    expect(entry(play([updated("g1", "widget.root.updated", { widget: root })], state), "g1").widget).toEqual(root);
  });

  test("unseen ones never become entries", () => {
    for (const type of ["end_of_turn", "hidden_context_item", "sdk_hidden_context"]) {
      expect(reduce(emptyTranscript, added({ id: "h1", type }))).toBe(emptyTranscript);
      expect(reduce(emptyTranscript, done({ id: "h1", type }))).toBe(emptyTranscript);
    }
  });

  test("times without a zone and missing members are taken as they are", () => {
    const bare = { id: "a1", type: "assistant_message", created_at: "2026-01-01T10:00:00.123" };
    expect(entry(play([done(bare)]), "a1")).toEqual({ ...bare, content: [] });
    const call = entry(play([done({ id: "c1", type: "client_tool_call", status: "pending", name: "x" })]), "c1");
    expect(call.arguments).toEqual({});
  });

  test("members that hold something else are left out, so that views can rely on the rest", () => {
    const item = {
      ...assistant("a1", "x"),
      content: [null, { type: "output_text", text: 5 }, { type: "output_text", text: "x" }],
    };
    expect(entry(play([done(item)]), "a1").content).toEqual([{ type: "output_text", text: "x" }]);
    const input = {
      id: "s1",
      type: "structured_input",
      status: "pending",
      inputs: [1, { id: "q", question: "?", type: "freeform" }],
    };
    expect(entry(play([done(input)]), "s1").inputs).toHaveLength(1);
  });
});

describe("what is malformed, unknown or out of order", () => {
  const state = play([
    done(user("u1")),
    done(assistant("a1", "Hello")),
    done({ id: "w1", type: "workflow", workflow: { type: "custom", tasks: [] } }),
    done({
      id: "g1",
      type: "widget",
      widget: {
        type: "Card",
        children: [
          { type: "Text", id: "t", value: "" },
          { type: "Row", id: "r" },
        ],
      },
    }),
  ]);
  const deep = { type: "Box", children: [] as unknown[] };
  for (let n = 0, at = deep; n < 20_000; n += 1) {
    const child = { type: "Box", children: [] };
    at.children.push(child);
    at = child;
  }
  const strange: Loose[] = [
    null,
    "text",
    [],
    {},
    { type: 5 },
    { type: "thread.item.exploded" },
    { type: "thread.item.done" },
    { type: "thread.item.added", item: null },
    { type: "thread.item.added", item: { id: 5, type: "task" } },
    { type: "thread.item.added", item: { id: "", type: "user_message" } },
    { type: "thread.item.done", item: { id: PENDING_ID, type: "user_message", content: [] } },
    { type: "thread.item.done", item: { id: "x", type: "hologram" } },
    { type: "thread.item.done", item: { id: "x", type: "constructor" } },
    { type: "thread.item.done", item: { id: "x", type: "widget" } },
    { type: "thread.item.done", item: { id: "x", type: "workflow", workflow: [] } },
    { type: "thread.item.done", item: { id: "x", type: "task", task: "no" } },
    { type: "thread.item.updated", item_id: "a1" },
    { type: "thread.item.removed" },
    { type: "thread.created" },
    { type: "thread.updated", thread: { title: "no id" } },
    { type: "stream_options" },
    { type: "progress_update" },
    { type: "notice", level: "info" },
    { type: "client_effect" },
    delta("missing", "x"),
    delta("u1", "x"),
    delta("a1", "x", 1e9),
    delta("a1", "x", -1),
    delta("a1", "x", 0.5),
    updated("a1", "assistant_message.content_part.sung", { content_index: 0 }),
    updated("a1", "assistant_message.content_part.text_delta", { content_index: "0", delta: "x" }),
    updated("a1", "assistant_message.content_part.text_delta", { content_index: 0 }),
    updated("a1", "assistant_message.content_part.done", { content_index: 0, content: null }),
    updated("a1", "assistant_message.content_part.annotation_added", {
      content_index: 0,
      annotation_index: 0,
      annotation: {},
    }),
    updated("w1", "workflow.task.added", { task_index: 0 }),
    updated("w1", "workflow.task.added", { task_index: 1e9, task: { type: "custom" } }),
    updated("w1", "workflow.task.updated", { task_index: 0, task: { type: "custom" } }),
    updated("g1", "widget.root.updated", { widget: 5 }),
    updated("g1", "widget.component.updated", { component_id: "none", component: { type: "Text" } }),
    updated("g1", "widget.component.updated", { component: { type: "Text" } }),
    updated("g1", "widget.streaming_text.value_delta", { component_id: "r", delta: "x", done: true }),
    updated("g1", "widget.streaming_text.value_delta", { component_id: "t", delta: 5, done: true }),
  ];

  test.each(strange.map((event) => [JSON.stringify(event), event]))("%s is skipped and changes nothing", (_, event) => {
    expect(reduce(state, event, "crun_1:9")).toBeNull();
  });

  test("an event of another thread changes nothing", () => {
    const here = play([created()]);
    expect(reduce(here, { type: "thread.updated", thread: { id: "cthr_2", title: "no" } })).toBeNull();
  });

  test("a widget that nests without end is searched only so far", () => {
    const nested = play([done({ id: "g2", type: "widget", widget: deep })]);
    expect(
      reduce(nested, updated("g2", "widget.component.updated", { component_id: "x", component: { type: "Text" } })),
    ).toBeNull();
  });

  test("the removal of what is not there is nothing strange: removals are repeated", () => {
    expect(reduce(state, removed("missing"))).toBe(state);
  });
});

describe("notices and errors", () => {
  test("become entries, once for each frame", () => {
    const notice: Loose = { type: "notice", level: "warning", title: "Hm", message: "Careful" };
    const once = reduce(emptyTranscript, notice, "crun_1:4")!;
    expect(once.entries).toEqual([
      { type: "notice", id: "note:crun_1:4", level: "warning", title: "Hm", message: "Careful" },
    ]);
    expect(reduce(once, notice, "crun_1:4")).toBe(once);
    expect(reduce(once, notice, "crun_1:5")!.entries).toHaveLength(2);
  });

  test("without frame ids each is one of its own, also after one was dismissed", () => {
    const error: Loose = { type: "error", code: "stream.error", allow_retry: true };
    let state = reduce(reduce(emptyTranscript, error)!, error)!;
    state = reduce(state, { type: "local.dismissed", id: state.entries[0]!.id })!;
    state = reduce(state, error)!;
    expect(new Set(ids(state)).size).toBe(2);
  });

  test("an error has its code, its message if there is one, and whether to offer a retry", () => {
    const [custom, plain]: Loose = play([
      { type: "error", code: "custom", message: "No.", allow_retry: false },
      { type: "error", code: "stream.error", message: null },
    ]).entries;
    expect(custom).toMatchObject({ type: "error", code: "custom", message: "No.", retry: false });
    expect(plain).toEqual({ type: "error", id: "note:crun_1:2", code: "stream.error", retry: false });
  });

  test("errors go when the next turn starts, notices stay", () => {
    const state = play([
      { type: "notice", level: "info", message: "n" },
      { type: "error" },
      { type: "local.turn_started" },
    ]);
    expect(state.entries.map(({ type }) => type)).toEqual(["notice"]);
  });
});

describe("threads", () => {
  test("an update stands for the whole: what is left out has been taken away", () => {
    const state = play([
      created({ title: "Tides", allowed_image_domains: ["example.com"] }),
      { type: "thread.updated", thread: thread({ status: { type: "locked" } }) },
    ]);
    expect(state.thread).toEqual(thread({ status: { type: "locked" } }));
  });
});

describe("pages of items", () => {
  const page = (state: Transcript, items: Loose[], { hasMore = false, since = state } = {}) =>
    reduce(state, { type: "local.page_loaded", thread: created().thread, items, hasMore, since })!;

  test("what the server has as it is shown stays the same object, the rest is the server's", () => {
    const state = play([done(user("u1")), done(assistant("a1", "x")), done(assistant("a2", "gone"))]);
    const after = page(state, [user("u1"), assistant("a1", "xy"), assistant("a3", "new")]);
    expect(ids(after)).toEqual(["u1", "a1", "a3"]);
    expect(entry(after, "u1")).toBe(entry(state, "u1"));
    expect(textOf(after, "a1")).toBe("xy");
  });

  test("older pages stay in front of it as long as they meet", () => {
    const state = play(["1", "2", "3", "4"].map((id) => done(user(id))));
    expect(ids(page(state, [user("3"), user("4"), user("5")], { hasMore: true }))).toEqual(["1", "2", "3", "4", "5"]);
    expect(ids(page(state, [user("8"), user("9")], { hasMore: true }))).toEqual(["8", "9"]);
  });

  test("what came, changed or went while it was read is newer than it", () => {
    const since = play([done(user("u1")), done(assistant("a1", "x")), done(assistant("a2", "y"))]);
    const now = play([replaced(assistant("a1", "newer")), removed("a2"), done(assistant("a3", "z")), sent], since);
    const after = page(now, [user("u1"), assistant("a1", "x"), assistant("a2", "y")], { since });
    expect([ids(after), textOf(after, "a1")]).toEqual([["u1", "a1", "a3", PENDING_ID], "newer"]);
  });

  test("an item that is still being written stays, a message on its way too until it is in the page", () => {
    const state = play([done(user("u1")), added(assistant("a1")), delta("a1", "half"), sent]);
    expect(ids(page(state, [user("u1")]))).toEqual(["u1", "a1", PENDING_ID]);
    expect(ids(page(state, [user("u1"), user("u2")]))).toEqual(["u1", "a1", "u2"]);
  });

  test("notices stay where they stood, errors go once the conversation went on", () => {
    const state = play([done(user("u1")), { type: "notice", level: "info", message: "n" }, { type: "error" }]);
    expect(ids(page(state, [user("u1")]))).toEqual(["u1", "note:crun_1:2", "note:crun_1:3"]);
    expect(ids(page(state, [user("u1"), assistant("a1", "x")]))).toEqual(["u1", "note:crun_1:2", "a1"]);
  });

  test("older items go in front, each once", () => {
    const state = page(emptyTranscript, [user("3"), user("4")], { hasMore: true });
    const older: Loose = {
      type: "local.older_loaded",
      items: [user("1"), { id: "h", type: "end_of_turn" }, user("2"), user("3")],
    };
    expect(ids(reduce(state, older)!)).toEqual(["1", "2", "3", "4"]);
  });
});

describe("questions to a transcript", () => {
  test("a tool call is pending only while nothing was said after it", () => {
    const asked = play([done(user("u1")), done(toolCall("c1")), { type: "notice", level: "info", message: "Wait" }]);
    expect(pendingToolCall(asked)?.id).toBe("c1");
    expect(pendingToolCall(play([done(user("u2"))], asked))).toBeNull();
    expect(pendingToolCall(play([done(toolCall("c1", { status: "completed" }))], asked))).toBeNull();
  });

  test("the last user message is one that the server has", () => {
    expect(lastUserMessage(play([done(user("u1")), done(assistant("a1")), sent]))?.id).toBe("u1");
    expect(lastUserMessage(play([sent]))).toBeNull();
  });
});

test("an event leaves the transcript before it as it was", () => {
  const before = play([created(), done(user("u1")), added(assistant("a1", "a"))]);
  const copy = structuredClone(before);
  play(
    [
      delta("a1", "b"),
      done(assistant("a2", "c")),
      removed("u1"),
      { type: "thread.updated", thread: thread({ title: "t" }) },
    ],
    before,
  );
  expect(before).toEqual(copy);
  expect(Object.isFrozen(before) && Object.isFrozen(before.entries) && before.entries.every(Object.isFrozen)).toBe(
    true,
  );
});

test("a long message in a long thread grows in far less than a millisecond a delta", () => {
  let state = play(Array.from({ length: 1000 }, (_, n) => done(user(`u${n}`))));
  state = play([created(), added(assistant("a1"))], state);
  const text = "x".repeat(32);
  const began = performance.now();
  for (let n = 0; n < 1000; n += 1) state = reduce(state, delta("a1", text), `crun_1:${n}`)!;
  expect((performance.now() - began) / 1000).toBeLessThan(0.3);
  expect(textOf(state, "a1")).toHaveLength(32_000);
});
