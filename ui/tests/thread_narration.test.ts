import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ConversationState } from "../src/core/conversation.ts";
import { type Entry, emptyTranscript, PENDING_ID } from "../src/core/transcript.ts";
import { createWords } from "../src/locales/index.ts";
import type { Context } from "../src/views/context.ts";
import { Narration } from "../src/views/thread/narration.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const user = (id: string): Entry => ({ type: "user_message", id, content: [] });
const says = (id: string, text: string): Entry => ({
  type: "assistant_message",
  id,
  content: [{ type: "output_text", text }],
});
const call: Entry = { type: "client_tool_call", id: "c", status: "pending", name: "n", arguments: {} };
const empty: ConversationState = {
  ...emptyTranscript,
  threadId: null,
  loading: false,
  older: { available: false, loading: false },
  connection: "online",
  feedback: new Map(),
};

function listen() {
  const said: string[] = [];
  let state = empty;
  const context = { words: createWords("en"), announce: (text: string) => said.push(text), conversation: { state } };
  const narration = new Narration(context as unknown as Context, (text) => text);
  const becomes = (change: Partial<ConversationState>): void => {
    state = { ...state, ...change };
    narration.changed(state);
    vi.advanceTimersByTime(1_500);
  };
  return { said, becomes };
}

test("a message and its answer are told from sending to the end", () => {
  const { said, becomes } = listen();
  becomes({ entries: [user(PENDING_ID)] });
  becomes({ running: true });
  expect(said).toEqual([]);
  becomes({ threadId: "t", entries: [user("u")] });
  becomes({ entries: [user("u"), says("m", "One. Tw")], open: new Set(["m"]) });
  becomes({ entries: [user("u"), says("m", "One. Two")], open: new Set() });
  becomes({ running: false });
  vi.advanceTimersByTime(5_000);
  expect(said).toEqual(["Message sent", "Assistant is responding", "One. ", "Two", "Response finished"]);
});

test("what was said in earlier turns is not told again", () => {
  const { said, becomes } = listen();
  becomes({ threadId: "t", entries: [user("u"), says("m", "Old.")] });
  becomes({ running: true });
  becomes({ entries: [user("u"), says("m", "Old."), says("n", "New.")] });
  becomes({ running: false, stopped: true });
  vi.advanceTimersByTime(5_000);
  expect(said).toEqual(["Assistant is responding", "New.", "Stopped"]);
});

test("a tool of the page does not end the answer", () => {
  const { said, becomes } = listen();
  becomes({ threadId: "t", entries: [user("u")], running: true });
  becomes({ entries: [user("u"), says("m", "Wait."), call] });
  becomes({ running: false });
  becomes({ running: true });
  becomes({ running: false });
  becomes({ running: true, entries: [user("u"), says("m", "Wait."), { ...call, status: "completed" } as Entry] });
  becomes({ entries: [user("u"), says("m", "Wait."), { ...call, status: "completed" } as Entry, says("n", "Done.")] });
  becomes({ running: false });
  vi.advanceTimersByTime(5_000);
  expect(said[0]).toBe("Assistant is responding");
  expect(said.slice(1, -1).join("")).toBe("Wait.\nDone.");
  expect(said.at(-1)).toBe("Response finished");
});

test("a thread that is opened at a waiting call is not read from its beginning", () => {
  const { said, becomes } = listen();
  becomes({ threadId: "t", loading: true });
  becomes({ entries: [user("u"), says("m", "Old."), call] });
  becomes({ loading: false });
  becomes({ running: true });
  becomes({ running: false, entries: [user("u"), says("m", "Old."), { ...call, status: "completed" } as Entry] });
  vi.advanceTimersByTime(5_000);
  expect(said.join()).not.toContain("Old.");
});

test("an older page that comes while an answer is written is not told", () => {
  const { said, becomes } = listen();
  becomes({ threadId: "t", entries: [user("u")] });
  becomes({ running: true });
  becomes({ entries: [user("u"), says("m", "One. ")], open: new Set(["m"]) });
  becomes({ entries: [says("old", "Old. And old."), user("u"), says("m", "One. ")] });
  becomes({ entries: [says("old", "Old. And old."), user("u"), says("m", "One. Two. ")] });
  becomes({ running: false });
  vi.advanceTimersByTime(5_000);
  expect(said.slice(1, -1).join("").trim()).toBe("One. Two.");
});

test("the rest of an answer is told when the reader writes instead of the page's tool", () => {
  const { said, becomes } = listen();
  becomes({ threadId: "t", entries: [user("u")], running: true });
  becomes({ entries: [user("u"), says("m", "Wait a"), call], open: new Set(["m"]) });
  becomes({ running: false });
  becomes({ entries: [user("u"), says("m", "Wait a"), call, user(PENDING_ID)] });
  becomes({ running: true });
  becomes({ entries: [user("u"), says("m", "Wait a"), call, user("v"), says("n", "New.")] });
  becomes({ running: false });
  vi.advanceTimersByTime(9_000);
  for (const text of ["Wait a", "New.", "Response finished"]) expect(said.join("|")).toContain(text);
});

test("an answer that failed says so by its error alone", () => {
  const { said, becomes } = listen();
  becomes({ threadId: "t", entries: [user("u")], running: true });
  becomes({ running: false, entries: [user("u"), { type: "error", id: "x", retry: true }] });
  vi.advanceTimersByTime(5_000);
  expect(said).toEqual(["Assistant is responding"]);
});

test("what is left when another thread is opened is not said", () => {
  const { said, becomes } = listen();
  becomes({ threadId: "t", entries: [user("u"), says("m", "Left half")], running: true });
  becomes({ ...empty, threadId: "other", loading: true });
  vi.advanceTimersByTime(5_000);
  expect(said).toEqual(["Assistant is responding"]);
});
