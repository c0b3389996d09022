import { describe, expect, test } from "vitest";
import type { ClientTool, Conversation } from "../src/core/conversation.ts";
import { IntegrationError } from "../src/core/conversation.ts";
import { type ConversationOptions, createConversation } from "../src/core/open-conversation.ts";
import { PENDING_ID } from "../src/core/transcript.ts";
import { ApiError, NetworkError } from "../src/core/transport.ts";
import {
  added,
  answer,
  assistant,
  created,
  delta,
  done,
  frame,
  frames,
  Live,
  plain,
  removed,
  replaced,
  Server,
  said,
  T,
  thread,
  tick,
  toolCall,
  until,
  updated,
  user,
} from "./script.ts";

const words = (text: string) => ({ content: [{ type: "input_text" as const, text }] });

/** A conversation and what it told, in order. */
function talk(server: Server, more: Partial<ConversationOptions> & { tool?: ClientTool } = {}) {
  const told: string[] = [];
  const errors: Error[] = [];
  const logs: unknown[] = [];
  const effects: unknown[] = [];
  const { tool, ...options } = more;
  const conversation = createConversation({
    transport: () => server,
    onClientTool: () => tool,
    pause: async (_, signal) => signal?.throwIfAborted(),
    isOnline: () => true,
    ...options,
  });
  conversation.subscribe({
    responseStart: () => told.push("start"),
    responseEnd: () => told.push("end"),
    threadChange: (id) => told.push(`thread ${id}`),
    loadStart: (id) => told.push(`load ${id}`),
    loadEnd: (id) => told.push(`loaded ${id}`),
    threadSeen: ({ id, title }) => told.push(`seen ${id} ${title ?? ""}`.trim()),
    error: (error) => errors.push(error),
    log: (name, data) => logs.push([name, data]),
    effect: (name, data) => effects.push([name, data]),
  });
  return { conversation, told, errors, logs, effects };
}

const ids = ({ state }: Conversation) => state.entries.map(({ id }) => id);
const errorsOf = ({ state }: Conversation) => state.entries.filter(({ type }) => type === "error");
const textOf = ({ state }: Conversation, id: string) => {
  const item = state.entries.find((entry) => entry.id === id);
  return item?.type === "assistant_message" ? item.content.map(({ text }) => text).join("|") : null;
};
const idle = (conversation: Conversation) => until(() => !conversation.busy, "the end of the turn");
const settled = async () => {
  for (let n = 0; n < 20; n += 1) await tick();
};

function elsewhere(): Server {
  const server = new Server();
  server.honoursKeys = false;
  return server;
}

/** With the thread open and read. */
async function opened(server: Server, more = {}) {
  const talking = talk(server, more);
  await talking.conversation.open(T);
  talking.told.length = 0;
  return talking;
}

describe("sending", () => {
  test("the first message creates the thread, and shows until the server has it", async () => {
    const live = new Live();
    const { conversation, told } = talk(new Server().reply("threads.create", live));
    const sending = conversation.send({ ...words("Hi"), quotedText: "as I said" });
    expect(ids(conversation)).toEqual([PENDING_ID]);
    expect(conversation.state.entries[0]).toMatchObject({ quoted_text: "as I said" });
    expect(conversation.busy).toBe(true);
    live.say(frames([created(), ...answer("u1", "a1", "Hello")]));
    await sending;
    expect(conversation.state.threadId).toBe(T);
    live.say(frame(20, { type: "thread.updated", thread: thread({ title: "Tides" }) })).say(": completed\n\n");
    await idle(conversation);
    expect([ids(conversation), textOf(conversation, "a1")]).toEqual([["u1", "a1"], "Hello"]);
    expect(told).toEqual(["start", `seen ${T}`, `thread ${T}`, `seen ${T} Tides`, "end"]);
  });

  test("a refusal takes it off the screen and gives the reason", async () => {
    const refusal = new ApiError(400, "Too long.", "invalid_value");
    const { conversation, told, errors } = talk(new Server().reply("threads.create", refusal));
    await expect(conversation.send(words("Hi"))).rejects.toBe(refusal);
    expect([ids(conversation), conversation.busy, told, errors]).toEqual([[], false, ["start", "end"], [refusal]]);
  });

  test("the same message after a failure has the same key, another one another", async () => {
    const server = new Server();
    const { conversation } = talk(server);
    await expect(conversation.send(words("Hi"))).rejects.toBeInstanceOf(NetworkError);
    const key = server.asked[0]?.key;
    server.reply("threads.create", new ApiError(400, "no"), new ApiError(400, "no"));
    await expect(conversation.send(words("Hi"))).rejects.toThrow();
    await expect(conversation.send(words("Ho"))).rejects.toThrow();
    expect(server.asked.slice(-2).map((asked) => asked.key === key)).toEqual([true, false]);
  });

  test("a thread that was locked meanwhile is shown as it is", async () => {
    const server = new Server().store(T, [user("u1")]);
    const { conversation } = await opened(server);
    server.store(T, [user("u1")], { status: { type: "locked", reason: "night" } });
    server.reply("threads.add_user_message", new ApiError(409, "locked", "thread_locked"));
    await expect(conversation.send(words("Hi"))).rejects.toMatchObject({ code: "thread_locked" });
    expect(conversation.state.thread?.status).toEqual({ type: "locked", reason: "night" });
    expect(ids(conversation)).toEqual(["u1"]);
  });

  test("a new thread leaves the one that is open", async () => {
    const { conversation, told } = await opened(
      new Server().store(T, [user("u1")]).reply("threads.create", new ApiError(400, "no")),
    );
    await expect(conversation.send(words("Hi"), { newThread: true })).rejects.toThrow();
    expect([conversation.state.threadId, ids(conversation)]).toEqual([null, []]);
    expect(told).toEqual(["thread null", "start", "end"]);
  });

  test("on a server without keys, a cut answer is what that server stored, and a missing one is an error to retry", async () => {
    const server = elsewhere().reply(
      "threads.create",
      said(plain([created(), done(user("u1")), added(assistant("a1"))]), "cut"),
    );
    server.store(T, [user("u1"), assistant("a1", "As stored")]);
    const { conversation, told } = talk(server);
    await conversation.send(words("Hi"));
    await idle(conversation);
    expect([ids(conversation), textOf(conversation, "a1")]).toEqual([["u1", "a1"], "As stored"]);
    expect(told.filter((each) => each === "end")).toHaveLength(1);

    server.reply(
      "threads.add_user_message",
      said(plain([done(user("u2")), added(assistant("a2")), delta("a2", "half")]), "cut"),
    );
    server.store(T, [user("u1"), assistant("a1", "As stored"), user("u2")]);
    await conversation.send(words("Again"));
    await idle(conversation);
    expect(textOf(conversation, "a2")).toBe("half");
    expect(errorsOf(conversation)).toMatchObject([{ code: "broken_off", retry: true }]);
  });

  test("a cut before the confirmation gives the text back, unless the server has stored it", async () => {
    const server = elsewhere().store(T, [user("u1")]);
    const { conversation } = await opened(server);
    server.reply("threads.add_user_message", said("", "cut"), said("", "cut"));
    await expect(conversation.send(words("Hi"))).rejects.toBeInstanceOf(NetworkError);
    expect(ids(conversation)).toEqual(["u1"]);
    server.store(T, [user("u1"), user("u2")]);
    await conversation.send(words("Hi"));
    await idle(conversation);
    expect(ids(conversation).slice(0, 2)).toEqual(["u1", "u2"]);
  });

  test("an answer that is no stream confirms nothing", async () => {
    const { conversation } = talk(elsewhere().reply("threads.create", said("")));
    await expect(conversation.send(words("Hi"))).rejects.toBeInstanceOf(NetworkError);
    expect([ids(conversation), conversation.busy]).toEqual([[], false]);
  });
});

describe("loading", () => {
  test("shows the newest items, oldest first, and older pages on demand, each item once", async () => {
    const items = Array.from({ length: 70 }, (_, n) => user(`u${n}`));
    const server = new Server().store(T, items, { title: "Tides" });
    const { conversation, told } = talk(server);
    await conversation.open(T);
    expect(ids(conversation)).toEqual(items.slice(40).map(({ id }) => id));
    expect(conversation.state.older).toEqual({ available: true, loading: false });
    expect(told).toEqual([`thread ${T}`, `load ${T}`, `seen ${T} Tides`, `loaded ${T}`]);
    await Promise.all([conversation.loadOlder(), conversation.loadOlder()]);
    expect(ids(conversation)).toHaveLength(60);
    await conversation.refresh();
    expect(ids(conversation)).toHaveLength(60);
    await conversation.loadOlder();
    expect(ids(conversation)).toEqual(items.map(({ id }) => id));
    expect(conversation.state.older.available).toBe(false);
    await conversation.loadOlder();
    expect(server.of("items.list").map(({ params }) => params.after)).toEqual([undefined, "u40", undefined, "u10"]);
  });

  test("a server that does not know `after` is not asked for ever", async () => {
    const page = { data: [user("u1")], has_more: true };
    const { conversation } = await opened(new Server().store(T, []).reply("items.list", page, page));
    await conversation.loadOlder();
    expect(conversation.state.older.available).toBe(false);
  });

  test("an older page that fails can be asked for again", async () => {
    const server = new Server().store(
      T,
      Array.from({ length: 40 }, (_, n) => user(`u${n}`)),
    );
    const { conversation, errors } = await opened(server);
    server.reply("items.list", new NetworkError("no"));
    await conversation.loadOlder();
    expect([errors.length, conversation.state.older]).toEqual([1, { available: true, loading: false }]);
    await conversation.loadOlder();
    expect(ids(conversation)).toHaveLength(40);
  });

  test("a live run is joined: what it said so far, then live", async () => {
    const live = new Live();
    const server = new Server()
      .store(T, [user("u1")], { active_run: { id: "crun_1", sequence: 4 } })
      .reply("threads.resume", live);
    const { conversation } = await opened(server);
    await until(() => conversation.state.running);
    live.say(plain([added(assistant("a1", "Hel"))]) + frame(5, delta("a1", "lo")));
    await until(() => textOf(conversation, "a1") === "Hello");
    live.say(": completed\n\n");
    await idle(conversation);
    expect(server.of("threads.resume").map(({ params }) => params)).toEqual([{ thread_id: T }]);
  });

  test("a run that ended before it could be joined is read from the thread", async () => {
    const server = new Server().store(T, [user("u1")], { active_run: { id: "crun_1", sequence: 4 } });
    server.reply("threads.resume", () => {
      server.store(T, [user("u1"), assistant("a1", "Hello")]);
      return new ApiError(404, "over", "no_live_run");
    });
    const { conversation } = await opened(server);
    await until(() => textOf(conversation, "a1") === "Hello");
    await idle(conversation);
    expect(errorsOf(conversation)).toEqual([]);
  });

  test("a failure is an entry whose retry loads again", async () => {
    const server = new Server().store(T, [user("u1")]).reply("threads.get_by_id", new NetworkError("no"));
    const { conversation, told } = talk(server);
    await conversation.open(T);
    expect(errorsOf(conversation)).toMatchObject([{ code: "network", retry: true }]);
    expect(conversation.busy).toBe(false);
    await conversation.retry();
    expect([ids(conversation), conversation.state.threadId]).toEqual([["u1"], T]);
    expect(told.filter((each) => each.startsWith("load"))).toEqual([
      `load ${T}`,
      `loaded ${T}`,
      `load ${T}`,
      `loaded ${T}`,
    ]);
  });

  test("a thread that is gone gives way to a new conversation that says so", async () => {
    const { conversation, told, errors } = talk(new Server());
    await conversation.open(T);
    expect(conversation.state.threadId).toBeNull();
    expect(errorsOf(conversation)).toMatchObject([{ code: "not_found", retry: false }]);
    expect(told).toEqual([`thread ${T}`, `load ${T}`, "thread null", `loaded ${T}`]);
    expect(errors).toMatchObject([{ status: 404 }]);
  });

  test("answers that come after the thread was left touch nothing", async () => {
    const server = new Server().store(T, [user("u1")]).store("cthr_2", [user("v1")]);
    const { conversation, told } = talk(server);
    const first = conversation.open(T);
    await conversation.open("cthr_2");
    await first;
    expect(ids(conversation)).toEqual(["v1"]);
    expect(told.filter((each) => each.startsWith("load")).sort()).toEqual(
      [`load ${T}`, "load cthr_2", `loaded ${T}`, "loaded cthr_2"].sort(),
    );
  });
});

describe("leaving", () => {
  test("ends the response here while the run goes on; its late events touch nothing, but its title is told", async () => {
    const live = new Live();
    const server = elsewhere()
      .store("cthr_2", [user("v1")])
      .reply("threads.create", live);
    const { conversation, told } = talk(server);
    const sending = conversation.send(words("Hi"));
    live.say(plain([created(), done(user("u1"))]));
    await sending;
    await conversation.open("cthr_2");
    live.say(plain([{ type: "thread.updated", thread: thread({ title: "Late" }) }, added(assistant("a1", "late"))]));
    await until(() => told.includes(`seen ${T} Late`));
    expect([ids(conversation), conversation.busy, live.isCancelled]).toEqual([["v1"], false, false]);
    expect(told.filter((each) => each === "start" || each === "end")).toEqual(["start", "end"]);
    live.end();
    await settled();
    expect(ids(conversation)).toEqual(["v1"]);
  });

  test("and coming back shows the answer once its server has it all", async () => {
    const live = new Live();
    const server = elsewhere()
      .reply("threads.create", live)
      .store(T, [user("u1")]);
    const { conversation } = talk(server);
    const sending = conversation.send(words("Hi"));
    live.say(plain([created(), done(user("u1")), added(assistant("a1"))]));
    await sending;
    await conversation.open(null);
    await conversation.open(T);
    server.store(T, [user("u1"), assistant("a1", "Whole")]);
    live.say(plain([done(assistant("a1", "Whole"))])).end();
    await until(() => textOf(conversation, "a1") === "Whole");
  });

  test("a message that could not be sent after all is reported", async () => {
    const server = new Server().store("cthr_2", []);
    const { conversation, errors } = talk(server);
    const sending = conversation.send(words("Hi"));
    await conversation.open("cthr_2");
    await expect(sending).rejects.toBeInstanceOf(NetworkError);
    expect([errors.length, conversation.state.entries]).toEqual([1, []]);
  });

  test("closing ends the response and follows no longer", async () => {
    const live = new Live();
    const { conversation, told } = talk(new Server().reply("threads.create", live));
    const sending = conversation.send(words("Hi"));
    live.say(frames([created(), done(user("u1"))]));
    await sending;
    conversation.close();
    await until(() => live.isCancelled);
    expect(told.at(-1)).toBe("end");
    expect(told.filter((each) => each === "end")).toHaveLength(1);
  });
});

describe("stopping", () => {
  test("cancels Chatdock's run and keeps what was said", async () => {
    const live = new Live();
    const server = new Server().store(T, [user("u0")]).reply("threads.add_user_message", live);
    const { conversation, told } = await opened(server);
    const sending = conversation.send(words("Hi"));
    live.say(frames([done(user("u1")), added(assistant("a1")), delta("a1", "half")]));
    await sending;
    await conversation.stop();
    expect(server.types()).toContain("threads.cancel");
    live.say(`${frame(4, done(assistant("a1", "half")))}: cancelled\n\n`);
    await idle(conversation);
    expect([textOf(conversation, "a1"), conversation.state.open.size, errorsOf(conversation)]).toEqual(["half", 0, []]);
    expect(told).toEqual(["start", "end"]);
  });

  test("cuts another server's answer, keeps what was said, and then shows what that server stored", async () => {
    for (const stored of [[], [assistant("a1", "half and more")]]) {
      const live = new Live();
      const server = elsewhere()
        .store(T, [user("u0")])
        .reply("threads.add_user_message", live);
      const { conversation, told } = await opened(server);
      const sending = conversation.send(words("Hi"));
      live.say(plain([done(user("u1")), added(assistant("a1")), delta("a1", "half")]));
      await sending;
      await until(() => textOf(conversation, "a1") === "half");
      server.store(T, [user("u0"), user("u1"), ...stored]);
      await conversation.stop();
      await idle(conversation);
      expect(textOf(conversation, "a1")).toBe(stored.length ? "half and more" : "half");
      expect([errorsOf(conversation), told]).toEqual([[], ["start", `seen ${T}`, "end"]]);
      await until(() => live.isCancelled);
    }
  });

  test("without anything to stop does nothing", async () => {
    const { conversation, errors } = talk(new Server());
    await conversation.stop();
    expect(errors).toEqual([]);
  });
});

describe("retrying", () => {
  test("answers the last message again; what stood after it goes with the first event, without being removed", async () => {
    const live = new Live();
    const server = elsewhere().store(T, [user("u1"), assistant("a1", "x"), user("u2"), assistant("a2", "y")]);
    const { conversation } = await opened(server.reply("threads.retry_after_item", live));
    const retrying = conversation.retry();
    await until(() => server.of("threads.retry_after_item").length);
    expect(ids(conversation)).toEqual(["u1", "a1", "u2", "a2"]);
    live.say(plain([{ type: "stream_options", stream_options: { allow_cancel: true } }]));
    await until(() => ids(conversation).length === 3);
    live.say(plain([done(assistant("a3", "z"))])).end();
    await retrying;
    expect(ids(conversation)).toEqual(["u1", "a1", "u2", "a3"]);
    expect(server.of("threads.retry_after_item")[0]?.params).toEqual({ thread_id: T, item_id: "u2" });
  });

  test("Chatdock's removals of what is gone already are no trouble", async () => {
    const server = new Server().store(T, [user("u1"), assistant("a1", "x")]);
    const body = `${frames([removed("a1"), done(assistant("a2", "y"))])}: completed\n`;
    const { conversation, logs } = await opened(server.reply("threads.retry_after_item", said(body)));
    await conversation.retry("u1");
    expect([ids(conversation), logs]).toEqual([["u1", "a2"], []]);
  });

  test("a refused retry is an entry, the old answer stays, and its retry is the same request", async () => {
    const server = elsewhere().store(T, [user("u1"), assistant("a1", "x")]);
    const { conversation } = await opened(server);
    server.reply("threads.retry_after_item", new ApiError(401, "no"), said(plain([done(assistant("a2", "y"))])));
    await conversation.retry();
    expect(ids(conversation).slice(0, 2)).toEqual(["u1", "a1"]);
    expect(errorsOf(conversation)).toMatchObject([{ code: "unauthorized", retry: true }]);
    await conversation.retry();
    expect(ids(conversation)).toEqual(["u1", "a2"]);
    expect(new Set(server.of("threads.retry_after_item").map(({ key }) => key)).size).toBe(1);
  });

  test("without a message there is nothing to answer", async () => {
    await expect(talk(new Server()).conversation.retry()).rejects.toBeInstanceOf(IntegrationError);
  });
});

describe("client tools", () => {
  const asks = (call = toolCall("c1")) => `${frames([created(), done(user("u1")), done(call)])}: waiting\n\n`;
  const goesOn = (n: number) => `${frames([done(assistant(`a${n}`, "ok"))], 1, `crun_${n}`)}: completed\n\n`;

  test("run once the stream has closed; the result goes back and the new stream goes on", async () => {
    const server = new Server()
      .reply("threads.create", said(asks()))
      .reply("threads.add_client_tool_output", said(goesOn(2)));
    const calls: unknown[] = [];
    const { conversation, told } = talk(server, {
      tool: (call) => {
        calls.push([call, told.at(-1), conversation.busy]);
        return { time: 1 };
      },
    });
    await conversation.send(words("Hi"));
    await until(() => ids(conversation).includes("a2") && !conversation.busy);
    expect(calls).toEqual([[{ name: "get_time", params: { zone: "UTC" } }, "end", true]]);
    expect(server.of("threads.add_client_tool_output")[0]?.params).toEqual({ thread_id: T, result: { time: 1 } });
    expect(conversation.state.entries[1]).toMatchObject({ id: "c1", status: "completed", output: { time: 1 } });
    expect(told.filter((each) => each === "start" || each === "end")).toEqual(["start", "end", "start", "end"]);
  });

  test.each<[string, ClientTool | undefined, unknown, number]>([
    ["nothing becomes an empty object", () => undefined, {}, 0],
    ["a promise is waited for", async () => ({ a: 1 }), { a: 1 }, 0],
    [
      "a failure becomes an error that the agent gets",
      () => {
        throw new Error("no map");
      },
      { error: "no map" },
      1,
    ],
    ["so does a result that is no JSON", () => 5n, { error: "Do not know how to serialize a BigInt" }, 1],
    ["and a page without tools", undefined, { error: 'This page has no client tool; "get_time" was not run.' }, 1],
  ])("%s", async (_, tool, result, told) => {
    const server = new Server()
      .reply("threads.create", said(asks()))
      .reply("threads.add_client_tool_output", said(goesOn(2)));
    const { conversation, errors } = talk(server, { ...(tool && { tool }) });
    await conversation.send(words("Hi"));
    await until(() => ids(conversation).includes("a2"));
    expect(server.of("threads.add_client_tool_output")[0]?.params.result).toEqual(result);
    expect(errors).toHaveLength(told);
  });

  test("a page that is loaded while one waits answers it", async () => {
    const server = new Server()
      .store(T, [user("u1"), toolCall("c1")])
      .reply("threads.add_client_tool_output", said(goesOn(2)));
    const { conversation } = await opened(server, { tool: () => 1 });
    await until(() => ids(conversation).includes("a2"));
  });

  test("another tab's answer is no error: the thread is read again", async () => {
    for (const status of [400, 404, 409]) {
      const server = new Server().store(T, [user("u1"), toolCall("c1")]);
      server.reply("threads.add_client_tool_output", () => {
        server.store(T, [user("u1"), toolCall("c1", { status: "completed" }), assistant("a1", "theirs")]);
        return new ApiError(status, "no", "no_pending_call");
      });
      const { conversation, errors } = await opened(server, { tool: () => 1 });
      await until(() => textOf(conversation, "a1") === "theirs" && !conversation.busy);
      expect([errorsOf(conversation), errors]).toEqual([[], []]);
    }
  });

  test("of two tabs one runs the tool, and the other joins its run", async () => {
    const queue = new Map<string, Promise<void>>();
    const exclusively = async (name: string, work: (waited: boolean) => Promise<void>) => {
      const before = queue.get(name);
      const mine = (before ?? Promise.resolve()).then(() => work(before !== undefined));
      queue.set(name, mine);
      await mine;
    };
    const live = new Live();
    const server = new Server().store(T, [user("u1"), toolCall("c1")]);
    let runs = 0;
    const tool = () => {
      runs += 1;
      return runs;
    };
    const answered = [user("u1"), toolCall("c1", { status: "completed" })];
    server.reply("threads.add_client_tool_output", () => {
      server.store(T, answered, { active_run: { id: "crun_2", sequence: 1 } });
      return live;
    });
    server.reply("threads.resume", said(goesOn(2)));
    const [one, two] = await Promise.all([
      opened(server, { tool, exclusively }),
      opened(server, { tool, exclusively }),
    ]);
    await until(() => server.of("threads.add_client_tool_output").length);
    live.say(goesOn(2));
    await until(() => ids(one.conversation).includes("a2") && ids(two.conversation).includes("a2"));
    expect([runs, server.of("threads.add_client_tool_output").length]).toEqual([1, 1]);
  });

  test("a result that could not be given is given again on retry, and the tool not run again", async () => {
    const server = elsewhere().store(T, [user("u1"), toolCall("c1")]);
    server.reply("threads.add_client_tool_output", new NetworkError("no"), said(plain([done(assistant("a1", "ok"))])));
    let runs = 0;
    const { conversation } = await opened(server, { tool: () => ({ run: ++runs }) });
    await until(() => errorsOf(conversation).length);
    await conversation.retry();
    expect([ids(conversation), runs]).toEqual([["u1", "c1", "a1"], 1]);
    expect(server.asked.at(-1)?.params.result).toEqual({ run: 1 });
  });

  test("a call is answered once, also when the turn that goes on says nothing", async () => {
    const server = new Server()
      .store(T, [user("u1"), toolCall("c1")])
      .reply("threads.add_client_tool_output", said(": completed\n"));
    const { conversation } = await opened(server, { tool: () => 1 });
    await until(() => server.of("threads.add_client_tool_output").length && !conversation.busy);
    await settled();
    expect(server.of("threads.add_client_tool_output")).toHaveLength(1);
  });

  test("stopping waits no longer for a tool", async () => {
    const server = new Server().store(T, [user("u1"), toolCall("c1")]);
    const { conversation } = await opened(server, { tool: () => new Promise(() => {}) });
    await until(() => conversation.busy);
    await conversation.stop();
    await idle(conversation);
    expect(server.of("threads.add_client_tool_output")).toEqual([]);
  });

  test("a tool that ends after its thread was left still gives its result", async () => {
    let finish = (_: unknown) => {};
    const server = new Server()
      .store(T, [user("u1"), toolCall("c1")])
      .reply("threads.add_client_tool_output", said(goesOn(2)));
    const { conversation } = await opened(server, {
      tool: () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    });
    await until(() => conversation.busy);
    await conversation.open(null);
    finish({ late: true });
    await until(() => server.of("threads.add_client_tool_output").length);
    await settled();
    expect([conversation.state.entries, conversation.busy]).toEqual([[], false]);
  });
});

describe("what goes wrong", () => {
  test("an error of the stream is an entry and an error of the page; a failure without one still says so", async () => {
    const server = new Server().reply(
      "threads.create",
      said(
        `${frames([created(), done(user("u1")), { type: "error", code: "custom", message: "No.", allow_retry: true }])}: failed\n`,
      ),
    );
    const { conversation, errors } = talk(server);
    await conversation.send(words("Hi"));
    await idle(conversation);
    expect(errorsOf(conversation)).toMatchObject([{ code: "custom", message: "No.", retry: true }]);
    expect(errors.map(({ message }) => message)).toEqual(["No."]);
    server.reply("threads.retry_after_item", said(": failed\n\n"));
    await conversation.retry();
    expect(errorsOf(conversation)).toMatchObject([{ code: "stream.error", retry: true }]);
    conversation.dismiss(errorsOf(conversation)[0]!.id);
    expect(errorsOf(conversation)).toEqual([]);
  });

  test("skipped events are logged by their type alone", async () => {
    const odd = [created(), done(user("u1")), delta("nobody", "secret"), { type: "thread.item.sung", text: "secret" }];
    const { conversation, logs } = talk(
      new Server().reply("threads.create", said(`data: secret\n\n${frames(odd)}: completed\n`)),
    );
    await conversation.send(words("Hi"));
    await idle(conversation);
    expect(logs).toEqual(
      ["unreadable", "thread.item.updated", "thread.item.sung"].map((type) => ["protocol.skipped", { type }]),
    );
  });

  test("a session that ends in the middle is an entry; its retry takes the thread up again", async () => {
    const server = new Server().store(T, [user("u1"), assistant("a1", "whole")]);
    server
      .reply("threads.create", said(frames([created(), done(user("u1"))])))
      .reply("threads.resume", new ApiError(401, "no"));
    const { conversation } = talk(server);
    await conversation.send(words("Hi"));
    await idle(conversation);
    expect(errorsOf(conversation)).toMatchObject([{ code: "unauthorized", retry: true }]);
    await conversation.retry();
    expect(ids(conversation)).toEqual(["u1", "a1"]);
  });

  test("the connection is told while it is being restored", async () => {
    let isOnline = true;
    const server = new Server().reply("threads.create", said(frames([created(), done(user("u1"))])));
    server.reply("threads.resume", new NetworkError("no"), said(": completed\n"));
    const { conversation } = talk(server, { isOnline: () => isOnline });
    const seen: string[] = [];
    conversation.subscribe({
      changed: ({ connection }) => {
        if (seen.at(-1) !== connection) seen.push(connection);
        if (connection === "reconnecting") isOnline = false;
        if (connection === "offline") isOnline = true;
      },
    });
    await conversation.send(words("Hi"));
    await idle(conversation);
    expect(seen).toEqual(["online", "reconnecting", "offline", "online"]);
  });
});

describe("two tabs", () => {
  test("a refresh joins the run that another tab started, and ends with the server's text", async () => {
    const live = new Live();
    const server = new Server().store(T, [user("u1"), assistant("a1", "x")]);
    const { conversation, told } = await opened(server);
    const before = conversation.state.entries;
    server.store(T, [user("u1"), assistant("a1", "x"), user("u2")], { active_run: { id: "crun_2", sequence: 3 } });
    server.reply("threads.resume", live);
    await conversation.refresh();
    expect(ids(conversation)).toEqual(["u1", "a1", "u2"]);
    expect(conversation.state.entries.slice(0, 2).every((entry, n) => entry === before[n])).toBe(true);
    await until(() => conversation.state.running);
    live.say(`${frames([added(assistant("a2", "He")), delta("a2", "llo")], 4, "crun_2")}: completed\n\n`);
    await idle(conversation);
    expect(textOf(conversation, "a2")).toBe("Hello");
    expect(told.filter((each) => each === "start" || each === "end")).toEqual(["start", "end"]);
  });

  test("a refresh while a turn runs takes nothing back", async () => {
    const live = new Live();
    const server = new Server().store(T, [user("u1")]).reply("threads.add_user_message", live);
    const { conversation } = await opened(server);
    const sending = conversation.send(words("Hi"));
    live.say(frames([done(user("u2")), added(assistant("a2")), delta("a2", "Hel")]));
    await sending;
    await until(() => textOf(conversation, "a2") === "Hel");
    server.store(T, [user("u1"), user("u2")]);
    await conversation.refresh();
    expect([ids(conversation), textOf(conversation, "a2")]).toEqual([["u1", "u2", "a2"], "Hel"]);
    live.say(`${frame(4, delta("a2", "lo"))}: completed\n\n`);
    await idle(conversation);
    expect([textOf(conversation, "a2"), server.of("threads.resume")]).toEqual(["Hello", []]);
  });

  test("refreshes at once are one, and one more for all who asked while it ran", async () => {
    const server = new Server().store(T, []);
    const { conversation } = await opened(server);
    await Promise.all([conversation.refresh(), conversation.refresh(), conversation.refresh()]);
    expect(server.of("threads.get_by_id")).toHaveLength(3);
  });

  test("a refresh shows what is stored when it is asked for, also if one is under way", async () => {
    const server = new Server().store(T, []);
    const { conversation } = await opened(server);
    const first = conversation.refresh();
    await until(() => server.of("items.list").length === 2);
    server.store(T, [user("u1")]);
    await conversation.refresh();
    expect(ids(conversation)).toEqual(["u1"]);
    await first;
  });

  test("a refresh that fails leaves the screen as it is", async () => {
    const server = new Server().store(T, [user("u1")]);
    const { conversation, errors } = await opened(server);
    server.reply("threads.get_by_id", new NetworkError("no"));
    await conversation.refresh();
    expect([ids(conversation), errors.length]).toEqual([["u1"], 1]);
  });

  test("a call that another tab is answering is not run by a refresh", async () => {
    const server = new Server().store(T, [user("u1")]);
    let runs = 0;
    const { conversation } = await opened(server, { tool: () => ++runs });
    server.store(T, [user("u1"), toolCall("c1")]);
    await conversation.refresh();
    await settled();
    expect([ids(conversation), runs]).toEqual([["u1", "c1"], 0]);
  });

  test("an input that another tab answered is no error", async () => {
    const input = { id: "s1", thread_id: T, type: "structured_input" as const, status: "pending" as const, inputs: [] };
    const server = new Server().store(T, [input]);
    const { conversation } = await opened(server);
    server.store(T, [{ ...input, status: "answered" as const }]);
    server.reply("threads.add_structured_input", new ApiError(409, "answered", "input_not_pending"));
    await conversation.answerInput("s1", { status: "skipped", answers: {} });
    expect(conversation.state.entries).toMatchObject([{ id: "s1", status: "answered" }]);
  });
});

describe("actions", () => {
  const widget = (value: string) => ({
    id: "w1",
    thread_id: T,
    type: "widget" as const,
    widget: { type: "Card", id: "c", value },
  });

  test("one that streams is a turn; one that does not replaces its widget, also while a turn runs", async () => {
    const live = new Live();
    const server = new Server().store(T, [widget("a")]).reply("threads.custom_action", live);
    server.reply("threads.sync_custom_action", { updated_item: widget("b") }, {});
    const { conversation, told } = await opened(server);
    const acting = conversation.act({ type: "go", payload: { n: 1 } }, { itemId: "w1" });
    live.say(frames([replaced(widget("c"))]));
    await until(() => server.of("threads.custom_action").length && conversation.busy);
    await conversation.act({ type: "press" }, { itemId: "w1", streaming: false });
    expect(conversation.state.entries).toMatchObject([{ widget: { value: "b" } }]);
    await conversation.act({ type: "press" }, { streaming: false });
    live.say(": completed\n\n");
    await acting;
    expect(server.of("threads.custom_action")[0]?.params).toEqual({
      thread_id: T,
      item_id: "w1",
      action: { type: "go", payload: { n: 1 } },
    });
    expect(server.of("threads.sync_custom_action")[1]?.params).toEqual({ thread_id: T, action: { type: "press" } });
    expect(told.filter((each) => each === "start" || each === "end")).toEqual(["start", "end"]);
  });

  test("a failure is an entry whose retry is the action again", async () => {
    const server = new Server().store(T, [widget("a")]);
    server.reply("threads.sync_custom_action", new ApiError(400, "Not today.", "action_failed"), {
      updated_item: widget("b"),
    });
    const { conversation } = await opened(server);
    await conversation.act({ type: "press" }, { itemId: "w1", streaming: false });
    expect(errorsOf(conversation)).toMatchObject([{ code: "action_failed", message: "Not today.", retry: true }]);
    await conversation.retry();
    expect(conversation.state.entries).toMatchObject([{ id: "w1", widget: { value: "b" } }]);
  });

  test("without a thread there is none to act on", async () => {
    const { conversation } = talk(new Server());
    await expect(conversation.act({ type: "x" })).rejects.toBeInstanceOf(IntegrationError);
    await expect(conversation.act({ type: "x" }, { streaming: false })).rejects.toBeInstanceOf(IntegrationError);
  });

  test("effects go to the page", async () => {
    const effect = { type: "client_effect", name: "confetti" };
    const { conversation, effects } = talk(
      new Server().reply("threads.create", said(`${frames([created(), done(user("u1")), effect])}: completed\n`)),
    );
    await conversation.send(words("Hi"));
    await idle(conversation);
    expect(effects).toEqual([["confetti", {}]]);
  });

  test("a verdict shows at once, and goes again when it could not be given", async () => {
    const server = new Server().store(T, []);
    const { conversation, errors } = await opened(server);
    await conversation.rate(["a1"], "positive");
    server.reply("items.feedback", new NetworkError("no"));
    const rating = conversation.rate(["a1", "a2"], "negative");
    expect([...conversation.state.feedback]).toEqual([
      ["a1", "negative"],
      ["a2", "negative"],
    ]);
    await rating;
    expect([[...conversation.state.feedback], errors.length]).toEqual([[["a1", "positive"]], 1]);
  });
});

test("while a turn runs or a thread loads, only what the contract names is refused", async () => {
  const live = new Live();
  const server = new Server().store(T, [user("u0")]).reply("threads.add_user_message", live);
  const { conversation } = talk(server);
  const loading = conversation.open(T);
  await expect(conversation.send(words("Hi"))).rejects.toThrow("The thread is being loaded.");
  await loading;
  const sending = conversation.send(words("Hi"));
  live.say(frames([done(user("u1"))]));
  await sending;
  for (const refused of [
    () => conversation.send(words("Hi")),
    () => conversation.act({ type: "x" }),
    () => conversation.retry(),
    () => conversation.answerInput("s1", { status: "skipped", answers: {} }),
  ]) {
    await expect(refused()).rejects.toBeInstanceOf(IntegrationError);
  }
  await conversation.rate(["a1"], "positive");
  await conversation.refresh();
  await conversation.open(null);
  expect(conversation.busy).toBe(false);
});

test("right after the end of a turn the next one may begin", async () => {
  const server = new Server().store(T, [user("u0")]);
  const { conversation } = await opened(server);
  server.reply("threads.custom_action", said(`${frames([])}: completed\n`), said(`${frames([])}: completed\n`));
  await conversation.act({ type: "one" });
  await conversation.act({ type: "two" });
  expect(server.of("threads.custom_action")).toHaveLength(2);
});

test("the state is frozen, and a new object after every change", async () => {
  const server = new Server().store(T, [user("u1")]);
  const { conversation } = talk(server);
  const states = new Set([conversation.state]);
  conversation.subscribe({ changed: (state) => states.add(state) });
  await conversation.open(T);
  expect([...states].every(Object.isFrozen)).toBe(true);
  expect(states.size).toBeGreaterThan(2);
  expect(updated("x", "y", {}).type).toBe("thread.item.updated");
});

describe("what the page does when it hears of something", () => {
  const whole = (n: number) => said(`${frames(answer(`u${n}`, `a${n}`, "Hello"), 1, `crun_${n}`)}: completed\n\n`);

  test("the end of an answer: the next message can be sent", async () => {
    const server = new Server().store(T, []).reply("threads.add_user_message", whole(1), whole(2));
    const { conversation, told, errors } = await opened(server);
    let sent: Promise<void> | null = null;
    conversation.subscribe({
      responseEnd: () => {
        sent ??= conversation.send(words("Again"));
      },
    });
    await conversation.send(words("Hi"));
    await until(() => sent);
    await sent;
    await idle(conversation);
    expect([ids(conversation), told, errors]).toEqual([["u1", "a1", "u2", "a2"], ["start", "end", "start", "end"], []]);
  });

  test("the end of an answer, also one that it ends itself: another thread can be opened", async () => {
    for (const doEnd of [
      (live: Live) => live.say(": completed\n\n"),
      (_: Live, conversation: Conversation) => conversation.open("cthr_2"),
    ]) {
      const live = new Live();
      const server = new Server().store(T, []).store("cthr_2", []).reply("threads.add_user_message", live);
      const { conversation, told } = await opened(server);
      conversation.subscribe({ responseEnd: () => void conversation.open(null) });
      const sending = conversation.send(words("Hi"));
      live.say(frames(answer("u1", "a1", "Hello")));
      await sending;
      void doEnd(live, conversation);
      await until(() => told.includes("end"));
      await settled();
      expect(told.filter((each) => /^(start|end)$/.test(each))).toEqual(["start", "end"]);
    }
  });

  test("another thread: it can be opened again, or yet another one, and every load ends", async () => {
    for (const next of [T, "cthr_2"]) {
      const server = new Server().store(T, [user("u1")]).store("cthr_2", [user("u2")]);
      const { conversation, told } = talk(server);
      conversation.subscribe({ threadChange: (id) => id === T && void conversation.open(next) });
      await conversation.open(T);
      await settled();
      const { threadId, loading } = conversation.state;
      expect([threadId, loading, ids(conversation)]).toEqual([next, false, [next === T ? "u1" : "u2"]]);
      expect(told.filter((each) => each.startsWith("load"))).toEqual([`load ${next}`, `loaded ${next}`]);
    }
  });
});

test("the title of a new thread is looked for when its first answer ended without one", async () => {
  const server = new Server().reply(
    "threads.create",
    said(`${frames([created(), ...answer("u1", "a1", "Hello")])}: completed\n\n`),
  );
  const { conversation, told } = talk(server);
  server.reply("threads.get_by_id", thread(), {
    ...thread({ title: "Tides" }),
    items: { data: [user("u9")] },
  });
  await conversation.send(words("Hi"));
  await until(() => conversation.state.thread?.title === "Tides");
  await settled();
  expect([ids(conversation), told.at(-1)]).toEqual([["u1", "a1"], `seen ${T} Tides`]);
  expect(server.of("threads.get_by_id")).toHaveLength(2);
});
