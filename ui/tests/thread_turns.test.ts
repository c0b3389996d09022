import { describe, expect, test } from "vitest";
import type { Entry } from "../src/core/transcript.ts";
import { answerIds, copyText, turnsOf } from "../src/views/thread/turns.ts";

const user = (id: string): Entry => ({ type: "user_message", id, content: [] });
const says = (id: string, ...texts: string[]): Entry => ({
  type: "assistant_message",
  id,
  content: texts.map((text) => ({ type: "output_text", text })),
});
const shape = (entries: Entry[], retryFrom: string | null = null) =>
  turnsOf({ entries, retryFrom }).map(({ key, message, answer }) => [
    key,
    message?.id ?? null,
    answer.map(({ id }) => id),
  ]);

describe("turns", () => {
  test("all that comes between two user messages answers the first", () => {
    const task: Entry = { type: "task", id: "k", task: { type: "image" } };
    expect(shape([user("u1"), task, says("m1", "a"), says("m2", "b"), user("u2"), says("m3", "c")])).toEqual([
      ["u1", "u1", ["k", "m1", "m2"]],
      ["u2", "u2", ["m3"]],
    ]);
  });

  test("an answer whose question is on an older page is a turn of its own", () => {
    expect(shape([says("m1", "a"), user("u1")])).toEqual([
      ["m1", null, ["m1"]],
      ["u1", "u1", []],
    ]);
  });

  test("what a retry replaces is gone while it is asked for", () => {
    expect(shape([user("u1"), says("m1", "a"), user("u2"), says("m2", "b")], "u1")).toEqual([["u1", "u1", []]]);
  });

  test("tool calls and questions that wait in the composer have no place", () => {
    const call: Entry = { type: "client_tool_call", id: "c", status: "pending", name: "n", arguments: {} };
    const asks: Entry = { type: "structured_input", id: "s", status: "pending", inputs: [] };
    const answered: Entry = { ...asks, id: "t", status: "answered" };
    expect(shape([user("u1"), call, asks, answered])).toEqual([["u1", "u1", ["t"]]]);
  });

  test("feedback is about the answer's items, not about notes of this page", () => {
    const error: Entry = { type: "error", id: "x", retry: true };
    expect(answerIds(turnsOf({ entries: [user("u"), says("m", "a"), error], retryFrom: null })[0]!)).toEqual(["m"]);
  });

  test("copying takes the text as written and each widget's text", () => {
    const widget: Entry = { type: "widget", id: "w", widget: { type: "Card" }, copy_text: "the card" };
    const told: Entry = {
      type: "widget",
      id: "v",
      widget: {
        type: "Card",
        children: [
          { type: "Title", value: "Hi" },
          { type: "Text", value: "there" },
        ],
      },
    };
    const turn = turnsOf({
      entries: [user("u"), says("m", "**a** ", "b"), widget, told, says("n", "")],
      retryFrom: null,
    })[0]!;
    expect(copyText(turn)).toBe("**a**\n\nb\n\nthe card\n\nHi\nthere");
  });
});
