import { describe, expect, test } from "vitest";
import { backoff, pause } from "../src/core/pause.ts";
import { reduce } from "../src/core/reduce.ts";
import { emptyTranscript } from "../src/core/transcript.ts";
import { ApiError, ClientSecretError, NetworkError } from "../src/core/transport.ts";
import { Turn, TurnLost } from "../src/core/turn.ts";
import { answer, created, frame, Live, plain, Server, said, T, thread, tick, until } from "./script.ts";

const event = (n: number) => ({ type: "progress_update", text: String(n) });
const params = { input: { content: [], attachments: [], quoted_text: "", inference_options: {} } };

function turnOf(server: Server, type = "threads.create", given: object = params, more: object = {}) {
  const seen: string[] = [];
  const waits: number[] = [];
  const connections: boolean[] = [];
  let unreadable = 0;
  const turn = new Turn({
    transport: server,
    type: type as never,
    params: given as never,
    key: "key",
    pause: async (ms, signal) => {
      signal?.throwIfAborted();
      waits.push(ms);
    },
    onEvent: (each) => seen.push("text" in each ? each.text : each.type),
    onUnreadable: () => {
      unreadable += 1;
    },
    onConnection: (is) => connections.push(is),
    ...more,
  });
  return { turn, seen, waits, connections, unreadable: () => unreadable };
}

function elsewhere(): Server {
  const server = new Server();
  server.honoursKeys = false;
  return server;
}

describe("on Chatdock", () => {
  test("a cut stream is resumed after the last id, and every event is seen once", async () => {
    const server = new Server()
      .reply("threads.create", said(`${frame(1, created()) + frame(2, event(2))}data: {`))
      .reply(
        "threads.resume",
        new ApiError(503, "no"),
        said(`${frame(3, event(3))}id: crun_1:4\n`, "cut"),
        said(`${frame(4, event(4))}: completed\n\n`),
      );
    const { turn, seen, connections } = turnOf(server);
    expect(await turn.run()).toBe("completed");
    expect(seen).toEqual(["thread.created", "2", "3", "4"]);
    expect(server.of("threads.resume").map(({ params }) => params)).toEqual(
      ["crun_1:2", "crun_1:2", "crun_1:3"].map((starting_after) => ({ thread_id: T, starting_after })),
    );
    expect(connections).toEqual([true, false, false, true, false, true]);
  });

  test("what was read behind the last id and comes again is skipped, wherever it is cut again", async () => {
    const rest = plain([event(2), event(3), event(4)]);
    const server = new Server().reply("threads.create", said(frame(1, created()) + plain([event(2), event(3)]), "cut"));
    server.reply("threads.resume", said(plain([event(2)]), "cut"), said("", "cut"), said(rest, "cut"));
    server.reply("threads.resume", said(`${rest}id: crun_1:4\n\n${frame(5, event(5))}: completed\n\n`));
    const ids: string[] = [];
    const { turn, seen } = turnOf(server, "threads.create", params, {
      onEvent: (each: { text?: string }, id: string) => {
        seen.push(each.text ?? "thread.created");
        ids.push(id);
      },
    });
    expect(await turn.run()).toBe("completed");
    expect(seen).toEqual(["thread.created", "2", "3", "4", "5"]);
    expect(ids).toEqual(["", "crun_1:2", "crun_1:3", "crun_1:4", "crun_1:5"]);
    expect(server.of("threads.resume").map(({ params }) => params.starting_after)).toEqual(Array(4).fill("crun_1:1"));
  });

  test("a first answer that broke off before its id is asked for again, and what was read of it is skipped", async () => {
    const server = new Server().reply("threads.create", said(plain([created(), event(2)]), "cut"));
    server.reply("threads.create", said(`${plain([created(), event(2), event(3)])}id: crun_1:3\n\n: completed\n\n`));
    const { turn, seen } = turnOf(server);
    expect(await turn.run()).toBe("completed");
    expect(seen).toEqual(["thread.created", "2", "3"]);
    expect(server.asked.map(({ type, key }) => [type, key])).toEqual(Array(2).fill(["threads.create", "key"]));
  });

  test("ids that come oftener than before name what was skipped, too", async () => {
    const server = new Server().reply("threads.create", said(frame(1, created()) + plain([event(2), event(3)]), "cut"));
    server.reply("threads.resume", said(frame(2, event(2)), "cut"));
    server.reply("threads.resume", said(`${frame(3, event(3)) + frame(4, event(4))}: completed\n\n`));
    const { turn, seen } = turnOf(server);
    expect(await turn.run()).toBe("completed");
    expect(seen).toEqual(["thread.created", "2", "3", "4"]);
    expect(server.of("threads.resume").map(({ params }) => params.starting_after)).toEqual(["crun_1:1", "crun_1:2"]);
  });

  test("cut anywhere where a proxy writes CRLF, what was read is the same", async () => {
    const rest = (from: number): string => {
      const batch = [created(), event(2), event(3), event(4)].slice(from, from < 2 ? 2 : 4);
      const last = from + batch.length;
      return batch.length ? `${plain(batch)}id: crun_1:${last}\n\n${rest(last)}` : ": completed\n\n";
    };
    const written = (from: number) => rest(from).replaceAll("\n", "\r\n");
    for (let cut = 0; cut <= written(0).length; cut += 1) {
      const server = new Server().reply("threads.create", said(written(0).slice(0, cut), "cut"));
      server.reply("threads.create", () => said(written(0)));
      server.reply("threads.resume", ({ params }: { params: { starting_after: string } }) =>
        said(written(Number(params.starting_after.split(":")[1]))),
      );
      const { turn, seen } = turnOf(server);
      expect(await turn.run()).toBe("completed");
      expect(seen, `cut at ${cut}`).toEqual(["thread.created", "2", "3", "4"]);
    }
  });

  test("cut anywhere, at frame boundaries and inside frames, the transcript is the same", {
    timeout: 60_000,
  }, async () => {
    const events = [created(), ...answer("u1", "a1", "Grüße 👋🏽"), { type: "notice", level: "info", message: "n" }];
    // What comes after a frame, as the server stores it: three events at a time, and an id behind them.
    const rest = (from: number): string => {
      const batch = events.slice(from, from - (from % 3) + 3);
      const last = from + batch.length;
      return batch.length ? `${plain(batch)}id: crun_1:${last}\n\n${rest(last)}` : ": completed\n\n";
    };
    const whole = new TextEncoder().encode(rest(0));
    const play = async (cut: number) => {
      let transcript = emptyTranscript;
      const begin = new Response(whole.slice(0, cut));
      const server = new Server().reply("threads.create", begin);
      server.reply("threads.resume", ({ params: { starting_after } }: { params: { starting_after: string } }) => {
        const from = Number(starting_after.split(":")[1]);
        return said(rest(from));
      });
      server.reply("threads.create", () => said(rest(0)));
      const { turn } = turnOf(server, "threads.create", params, {
        onEvent: (each: never, id: string) => {
          transcript = reduce(transcript, each, id) ?? transcript;
        },
      });
      expect(await turn.run()).toBe("completed");
      return transcript;
    };
    const expected = await play(whole.length);
    expect(expected.entries.map(({ id }) => id)).toEqual(["u1", "a1", `note:crun_1:${events.length}`]);
    const cuts = await Promise.all([...whole.keys()].map(play));
    for (const transcript of cuts) expect(transcript).toEqual(expected);
  });

  test.each(["completed", "failed", "cancelled", "waiting"])(
    '": %s" is an end, a keep-alive is not',
    async (outcome) => {
      const server = new Server().reply("threads.create", said(`: keep-alive\n${frame(1, created())}: ${outcome}\n\n`));
      expect(await turnOf(server).turn.run()).toBe(outcome);
      expect(server.asked).toHaveLength(1);
    },
  );

  test("a request that was never answered is sent again under the same key, and given up in the end", async () => {
    const server = new Server().reply("threads.create", new NetworkError("no"), new ApiError(502, "no"), said(""));
    server.reply("threads.create", said(`${frame(1, created())}: completed\n`));
    expect(await turnOf(server).turn.run()).toBe("completed");
    expect(server.asked.map(({ type, key }) => [type, key])).toEqual(Array(4).fill(["threads.create", "key"]));

    const away = new Server();
    await expect(turnOf(away).turn.run()).rejects.toBeInstanceOf(NetworkError);
    expect(away.asked).toHaveLength(6);

    const mute = new Server();
    for (let n = 0; n < 7; n += 1) mute.reply("threads.create", said("{}"));
    await expect(turnOf(mute).turn.run()).rejects.toBeInstanceOf(NetworkError);
    expect(mute.asked).toHaveLength(6);
  });

  test("a page that hands out no secret is told at once, and a turn that began goes on without it", async () => {
    const fails = new ClientSecretError("api.getClientSecret failed: no");
    const { turn, waits } = turnOf(new Server().reply("threads.create", fails));
    await expect(turn.run()).rejects.toBe(fails);
    expect(waits).toEqual([]);
    const server = new Server()
      .reply("threads.create", said(frame(1, created())))
      .reply("threads.resume", fails, said(`${frame(2, event(2))}: completed\n\n`));
    expect(await turnOf(server).turn.run()).toBe("completed");
  });

  test("a refusal is reported and not repeated", async () => {
    const server = new Server().reply("threads.create", new ApiError(409, "locked", "thread_locked"));
    await expect(turnOf(server).turn.run()).rejects.toMatchObject({ code: "thread_locked" });
    expect(server.asked).toHaveLength(1);
  });

  test("a short wait that the server asks for is kept, a long one is the reader's", async () => {
    const soon = new Server().reply("threads.create", new ApiError(429, "slow", null, 3000), said(": completed\n"));
    const { turn, waits } = turnOf(soon);
    expect(await turn.run()).toBe("completed");
    expect(waits).toEqual([3000]);
    const late = new Server().reply("threads.create", new ApiError(429, "slow", null, 42_000));
    await expect(turnOf(late).turn.run()).rejects.toMatchObject({ status: 429 });

    const resumed = new Server().reply("threads.create", said(frame(1, created())));
    resumed.reply("threads.resume", new ApiError(429, "slow", null, 42_000), said(": completed\n"));
    const second = turnOf(resumed);
    expect(await second.turn.run()).toBe("completed");
    expect(second.waits.at(-1)).toBe(42_000);
  });

  test("a run that is no longer known is lost; so is one whose last comment never arrives", async () => {
    const gone = new Server()
      .reply("threads.create", said(frame(1, created())))
      .reply("threads.resume", new ApiError(404, "gone"));
    await expect(turnOf(gone).turn.run()).rejects.toBeInstanceOf(TurnLost);

    const mute = new Server().store(T, []).reply("threads.create", said(frame(1, created())));
    mute.reply("threads.resume", said(""), said(""), said(""), said(""));
    await expect(turnOf(mute).turn.run()).rejects.toBeInstanceOf(TurnLost);
    expect(mute.asked.at(-1)?.type).toBe("threads.get_by_id");
  });

  test("a run that lives is followed for ever, whatever is in between", async () => {
    const server = new Server().store(T, [], { active_run: { id: "crun_1", sequence: 1 } });
    server.reply("threads.create", said(frame(1, created())));
    for (let n = 0; n < 20; n += 1) server.reply("threads.resume", new NetworkError("no"));
    server.reply("threads.resume", said(`${frame(2, event(2))}: completed\n`));
    const { turn, seen } = turnOf(server);
    expect(await turn.run()).toBe("completed");
    expect(seen).toEqual(["thread.created", "2"]);
  });

  test("a snapshot that broke off is asked for as a whole again; once it was whole, what was missed", async () => {
    const part = said(plain([event(1)]), "cut");
    const server = new Server().reply("threads.resume", part, said(plain([event(1)]) + frame(7, event(7)), "cut"));
    server.reply("threads.resume", said(`${frame(8, event(8))}: completed\n`));
    const { turn, seen } = turnOf(server, "threads.resume", { thread_id: T });
    expect(await turn.run()).toBe("completed");
    expect(seen).toEqual(["1", "1", "7", "8"]);
    expect(server.asked.map(({ params }) => params.starting_after)).toEqual([undefined, undefined, "crun_1:7"]);
  });

  test("a session that has ended is the reader's to know", async () => {
    const server = new Server()
      .reply("threads.create", said(frame(1, created())))
      .reply("threads.resume", new ApiError(401, "no"));
    await expect(turnOf(server).turn.run()).rejects.toMatchObject({ status: 401 });
  });

  test("a frame that holds no event is told and skipped", async () => {
    const server = new Server().reply(
      "threads.create",
      said(`data: {oops\n\ndata: 5\n\n${frame(1, event(1))}: completed\n`),
    );
    const { turn, seen, unreadable } = turnOf(server);
    expect(await turn.run()).toBe("completed");
    expect([seen, unreadable()]).toEqual([["1"], 2]);
  });

  test("leaving follows no longer and cancels nothing; a request on its way is let through first", async () => {
    const live = new Live();
    const server = new Server().reply("threads.create", live);
    const { turn, seen } = turnOf(server);
    const end = turn.run();
    turn.leave();
    await until(() => server.asked.length);
    live.say(frame(1, created()));
    expect(await end).toBe("left");
    expect(seen).toEqual(["thread.created"]);
    await until(() => live.isCancelled);
    expect(server.types()).toEqual(["threads.create"]);
  });

  test("stopping cancels the run and reads on to its end", async () => {
    const live = new Live();
    const server = new Server().reply("threads.create", live);
    const { turn, seen } = turnOf(server);
    const end = turn.run();
    live.say(frame(1, created()));
    await until(() => seen.length);
    await turn.stop();
    expect(server.asked.at(-1)).toMatchObject({ type: "threads.cancel", params: { thread_id: T } });
    live.say(`${frame(2, event(2))}: cancelled\n\n`);
    expect(await end).toBe("cancelled");
    expect(seen).toEqual(["thread.created", "2"]);
  });

  test("stopping before the server has answered cancels the run once it has", async () => {
    const live = new Live();
    const server = new Server().reply("threads.create", live);
    const { turn } = turnOf(server);
    const end = turn.run();
    await turn.stop();
    live.say(frame(1, created()));
    await until(() => server.types().includes("threads.cancel"));
    live.say(": cancelled\n\n");
    expect(await end).toBe("cancelled");
  });

  test("stopping before the first word of an answer cancels the run once there is one", async () => {
    const live = new Live();
    const server = new Server().reply("threads.create", live);
    const { turn, connections } = turnOf(server);
    const end = turn.run();
    await until(() => connections.length);
    await turn.stop();
    live.say(frame(1, created()));
    await until(() => server.types().includes("threads.cancel"));
    live.say(": cancelled\n\n");
    expect(await end).toBe("cancelled");
  });

  test("stopping while nobody answers gives up", async () => {
    const server = new Server();
    const { turn } = turnOf(server, "threads.create", params, {
      pause: (_: number, signal: AbortSignal) => new Promise((__, reject) => signal.addEventListener("abort", reject)),
    });
    const end = turn.run();
    await until(() => server.asked.length === 1);
    for (let n = 0; n < 5; n += 1) await tick();
    await turn.stop();
    expect(await end).toBe("stopped");
  });
});

describe("on other servers", () => {
  test("the end of the body is the end", async () => {
    const server = elsewhere().reply("threads.create", said(plain([created(), event(1)])));
    const { turn, seen } = turnOf(server);
    expect(await turn.run()).toBe("closed");
    expect(seen).toEqual(["thread.created", "1"]);
    expect(turn.isChatdock).toBe(false);
  });

  test("a request without an answer is never repeated, except one that was refused for a while", async () => {
    const silent = elsewhere();
    await expect(turnOf(silent).turn.run()).rejects.toBeInstanceOf(NetworkError);
    const broken = elsewhere().reply("threads.create", new ApiError(502, "no"));
    await expect(turnOf(broken).turn.run()).rejects.toMatchObject({ status: 502 });
    expect([silent.asked.length, broken.asked.length]).toEqual([1, 1]);
    const busy = elsewhere().reply("threads.create", new ApiError(429, "slow", null, 1000), said(plain([created()])));
    expect(await turnOf(busy).turn.run()).toBe("closed");
  });

  test("a cut before the end is a loss", async () => {
    const server = elsewhere().reply("threads.create", said(plain([created()]), "cut"));
    const { turn, seen } = turnOf(server);
    await expect(turn.run()).rejects.toBeInstanceOf(TurnLost);
    expect([seen, server.asked.length]).toEqual([["thread.created"], 1]);
  });

  test("frame ids or an outcome tell that it is Chatdock after all", async () => {
    const server = elsewhere().reply("threads.create", said(frame(1, created())));
    server.reply("threads.resume", said(": completed\n\n"));
    const { turn } = turnOf(server);
    expect(await turn.run()).toBe("completed");
    expect(turn.isChatdock).toBe(true);
  });

  test("ids of another kind are nobody's place in a run", async () => {
    const body = `id: 7\n${plain([event(1), event(2)])}id: 8\n\n`;
    const { turn, seen } = turnOf(elsewhere().reply("threads.create", said(body)));
    expect(await turn.run()).toBe("closed");
    expect(seen).toEqual(["1", "2"]);
  });

  test("after leaving, the answer is read to its end, for the server would end it", async () => {
    const live = new Live();
    const server = elsewhere().reply("threads.create", live);
    const { turn, seen } = turnOf(server);
    const end = turn.run();
    live.say(plain([created()]));
    await until(() => seen.length);
    turn.leave();
    live.say(plain([event(1)])).end();
    expect(await end).toBe("closed");
    expect([seen, live.isCancelled]).toEqual([["thread.created", "1"], false]);
  });

  test("stopping cuts the connection, before and after the first event", async () => {
    for (const text of ["", plain([created()])]) {
      const live = new Live();
      const server = elsewhere().reply("threads.create", live);
      const { turn, connections } = turnOf(server);
      const end = turn.run();
      if (text) live.say(text);
      await until(() => connections.length);
      await turn.stop();
      expect(await end).toBe("stopped");
      expect(server.types()).toEqual(["threads.create"]);
    }
  });
});

describe("waiting", () => {
  test("waits grow to ten seconds and are never all the same", () => {
    expect([1, 2, 3, 9].map((n) => backoff(n, () => 0))).toEqual([500, 1000, 2000, 10_000]);
    expect(backoff(1, () => 1)).toBe(375);
  });

  test("a pause ends when it is aborted, also before it began", async () => {
    const leaving = new AbortController();
    const waiting = pause(1e6, leaving.signal);
    leaving.abort(new Error("left"));
    await expect(waiting).rejects.toThrow("left");
    await expect(pause(1e6, leaving.signal)).rejects.toThrow("left");
  });
});

test("the thread is known from the first event that names it", async () => {
  const server = new Server().reply("threads.create", said(`${frame(1, created())}: completed\n`));
  const { turn } = turnOf(server);
  await turn.run();
  expect(turn.threadId).toBe(thread().id);
});
