import { describe, expect, test } from "vitest";
import type { History } from "../src/core/history.ts";
import { createHistory } from "../src/core/open-history.ts";
import { NetworkError } from "../src/core/transport.ts";
import { Server } from "./script.ts";

const at = (n: number) => new Date(Date.UTC(2026, 0, 1) - n * 60_000).toISOString();
/** Thread number `n`, newest first. */
const thread = (n: number, title?: string) => ({
  id: `cthr_${n}`,
  created_at: at(n),
  ...(title && { title }),
  items: { data: [] },
});
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => thread(from + n));
const page = (from: number, to: number, has_more: boolean, after?: string) => ({
  data: range(from, to),
  has_more,
  ...(after && { after }),
});
const ids = ({ state }: History) => state.threads.map(({ id }) => Number(id.slice(5)));
const list = (server: Server) => createHistory({ transport: () => server });

describe("pages", () => {
  test("come newest first, twenty at a time, with or without the server's cursor", async () => {
    const server = new Server();
    server.reply("threads.list", page(0, 20, true, "cursor"), page(20, 40, true), page(40, 45, false));
    const history = list(server);
    expect(history.state).toMatchObject({ loaded: false, loading: false, hasMore: false });
    const loading = history.refresh();
    expect(history.state.loading).toBe(true);
    await loading;
    expect(history.state).toMatchObject({ loaded: true, loading: false, hasMore: true });
    expect("items" in history.state.threads[0]!).toBe(false);
    await history.loadMore();
    await history.loadMore();
    await history.loadMore();
    expect(ids(history)).toEqual(range(0, 45).map((_, n) => n));
    expect(server.asked.map(({ params }) => params)).toEqual([
      { limit: 20, order: "desc" },
      { limit: 20, order: "desc", after: "cursor" },
      { limit: 20, order: "desc", after: "cthr_39" },
    ]);
    expect(history.state.hasMore).toBe(false);
  });

  test("read again, the first leaves those after it, and drops what is gone from it", async () => {
    const server = new Server().reply("threads.list", page(1, 21, true), page(21, 30, false));
    const history = list(server);
    await history.refresh();
    await history.loadMore();
    server.reply("threads.list", { data: [thread(0), ...range(1, 5), ...range(6, 20)], has_more: true });
    await history.refresh();
    expect(ids(history)).toEqual([0, 1, 2, 3, 4, ...range(6, 30).map((_, n) => n + 6)]);
    expect(history.state.hasMore).toBe(false);
  });

  test("asked for at once they are one request each", async () => {
    const server = new Server().reply("threads.list", page(0, 20, true), page(20, 30, false));
    const history = list(server);
    await Promise.all([history.refresh(), history.refresh()]);
    await Promise.all([history.loadMore(), history.loadMore()]);
    expect([server.asked.length, ids(history).length]).toEqual([2, 30]);
  });

  test("a refresh and a further page at once lose and double nothing", async () => {
    const server = new Server().reply("threads.list", page(1, 21, true), page(0, 20, true), page(21, 30, false));
    const history = list(server);
    await history.refresh();
    await Promise.all([history.refresh(), history.loadMore()]);
    expect(ids(history)).toEqual(range(0, 30).map((_, n) => n));
  });

  test("a failure is in the state until the next success", async () => {
    const server = new Server();
    const history = list(server);
    await history.refresh();
    expect(history.state).toMatchObject({
      loaded: false,
      loading: false,
      error: new NetworkError("nobody answers threads.list"),
    });
    server.reply("threads.list", page(0, 2, false));
    await history.refresh();
    expect(history.state).toMatchObject({ loaded: true, error: null });
  });

  test("a server that does not know `after` is not asked for ever, and what is no thread is left out", async () => {
    const same = { data: [thread(1), null, { title: "no id" }], has_more: true };
    const server = new Server().reply("threads.list", same, same);
    const history = list(server);
    await history.refresh();
    await history.loadMore();
    expect([ids(history), history.state.hasMore]).toEqual([[1], false]);
  });
});

describe("one thread", () => {
  async function two(): Promise<[Server, History]> {
    const server = new Server().reply("threads.list", { data: [thread(1, "Tides"), thread(2)], has_more: false });
    const history = list(server);
    await history.refresh();
    return [server, history];
  }
  const titles = ({ state }: History) => state.threads.map(({ title }) => title ?? null);

  test("is renamed at once, and back when the server does not", async () => {
    const [server, history] = await two();
    server.reply("threads.update", {}, new NetworkError("no"));
    const renaming = history.rename("cthr_1", "Ships");
    expect(titles(history)).toEqual(["Ships", null]);
    await renaming;
    expect(server.asked.at(-1)?.params).toEqual({ thread_id: "cthr_1", title: "Ships" });
    const failing = history.rename("cthr_2", "Moon");
    expect(titles(history)).toEqual(["Ships", "Moon"]);
    await expect(failing).rejects.toThrow("no");
    expect(titles(history)).toEqual(["Ships", null]);
  });

  test("a failed renaming does not undo the one after it", async () => {
    const [server, history] = await two();
    server.reply("threads.update", new NetworkError("no"), {});
    const first = history.rename("cthr_1", "One").catch(() => {});
    await Promise.all([first, history.rename("cthr_1", "Two")]);
    expect(titles(history)).toEqual(["Two", null]);
  });

  test("is deleted once the server has done it, and stays so", async () => {
    const [server, history] = await two();
    server.reply("threads.delete", new NetworkError("no"), {});
    await expect(history.remove("cthr_1")).rejects.toThrow("no");
    expect(ids(history)).toEqual([1, 2]);
    server.reply("threads.list", { data: [thread(1), thread(2)], has_more: false });
    await Promise.all([history.refresh(), history.remove("cthr_1")]);
    history.see(thread(1));
    await Promise.resolve();
    expect(ids(history)).toEqual([2]);
  });

  test("that is seen goes to the front, or is updated in its place", async () => {
    const [, history] = await two();
    history.see(thread(0, "New"));
    history.see({ id: "cthr_2", title: "Second" });
    expect(titles(history)).toEqual(["New", "Tides", "Second"]);
  });

  test("that is renamed or seen while the list is read again keeps what is newer", async () => {
    const [server, history] = await two();
    server
      .reply("threads.list", { data: [thread(1, "Tides"), thread(2)], has_more: false })
      .reply("threads.update", {});
    const refreshing = history.refresh();
    history.see({ id: "cthr_2", title: "Second" });
    await Promise.all([refreshing, history.rename("cthr_1", "Moons")]);
    expect(titles(history)).toEqual(["Moons", "Second"]);
  });

  test("that was seen before the first page and lies further back is left for its page", async () => {
    const server = new Server().reply("threads.list", page(0, 20, true), page(20, 40, true));
    const history = list(server);
    history.see(thread(45));
    await history.refresh();
    await history.loadMore();
    expect(ids(history)).toEqual(range(0, 40).map((_, n) => n));
  });

  test("that belongs to a page not loaded yet is left for it", async () => {
    const server = new Server().reply("threads.list", page(0, 20, true), page(20, 30, false));
    const history = list(server);
    await history.refresh();
    history.see(thread(25));
    expect(ids(history)).toHaveLength(20);
    await history.loadMore();
    expect(ids(history)).toEqual(range(0, 30).map((_, n) => n));
  });
});

test("the filter knows neither case nor accents, and what was loaded stays", async () => {
  const titles = ["Crème brûlée", "creme soup", "İstanbul", undefined];
  const server = new Server().reply("threads.list", {
    data: titles.map((title, n) => thread(n, title)),
    has_more: false,
  });
  const history = list(server);
  await history.refresh();
  const found = (filter: string) => {
    history.setFilter(filter);
    return ids(history);
  };
  expect(found(" CREME ")).toEqual([0, 1]);
  expect(found("brulee")).toEqual([0]);
  expect(found("istanbul")).toEqual([2]);
  expect(found("none")).toEqual([]);
  expect(found("")).toEqual([0, 1, 2, 3]);
});

test("listeners get every state, frozen, until they leave", async () => {
  const history = list(new Server().reply("threads.list", page(0, 1, false)));
  const seen: unknown[] = [];
  const leave = history.subscribe((state) => seen.push(state));
  await history.refresh();
  const count = seen.length;
  expect(count).toBeGreaterThan(1);
  expect(seen.every(Object.isFrozen)).toBe(true);
  leave();
  history.setFilter("x");
  expect(seen).toHaveLength(count);
});
