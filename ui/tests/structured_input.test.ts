import { describe, expect, test } from "vitest";
import type { Entry } from "../src/core/transcript.ts";
import type { StructuredInputItem } from "../src/core/wire.ts";
import { type Answer, NO_ANSWER, submissionOf } from "../src/views/input_form.ts";
import { pendingInput } from "../src/views/structured_input.ts";

const item: StructuredInputItem = {
  id: "si_1",
  type: "structured_input",
  status: "pending",
  inputs: [
    { id: "one", type: "multiple_choice", question: "Colour?", options: [{ value: "Red" }, { value: "Blue" }] },
    { id: "many", type: "multiple_choice", question: "Sizes?", options: [{ value: "S" }], multiple: true },
    { id: "free", type: "freeform", question: "Why?" },
  ],
};

const answers = (given: Record<string, Partial<Answer>>) =>
  new Map(Object.entries(given).map(([id, answer]) => [id, { ...NO_ANSWER, ...answer }]));

describe("the answers that are sent", () => {
  test("hold what was chosen and written, and say what was skipped", () => {
    const given = answers({
      one: { chosen: ["Blue"] },
      many: { chosen: ["S"], own: " XXL " },
      free: { own: "lost", skipped: true },
    });
    expect(submissionOf(item, given)).toEqual({
      status: "answered",
      answers: {
        one: { values: ["Blue"], skipped: false },
        many: { values: ["S", "XXL"], skipped: false },
        free: { values: [], skipped: true },
      },
    });
  });

  test("are one value where one may be given", () => {
    const { answers: sent } = submissionOf(item, answers({ one: { chosen: ["Red"], own: "Green" } }));
    expect(sent.one).toEqual({ values: ["Green"], skipped: false });
  });

  test("are skipped as a whole when no question has one", () => {
    const { status, answers: sent } = submissionOf(item, answers({ free: { own: "   " } }));
    expect(status).toBe("skipped");
    expect(Object.keys(sent)).toEqual(["one", "many", "free"]);
  });
});

describe("questions wait for answers", () => {
  const assistant: Entry = { id: "a", type: "assistant_message", content: [] };

  test("also when the assistant wrote on after them", () => {
    expect(pendingInput([item, assistant])).toBe(item);
  });

  test("but not after an answer, a newer message of the reader, or when there is none that can be asked", () => {
    expect(pendingInput([{ ...item, status: "answered" }])).toBeNull();
    expect(pendingInput([item, { id: "u", type: "user_message", content: [] }])).toBeNull();
    expect(pendingInput([item, { ...item, id: "si_2", status: "skipped" }])).toBeNull();
    expect(pendingInput([{ ...item, inputs: [] }])).toBeNull();
    expect(pendingInput([{ ...item, inputs: [{ id: "x", type: "drawing", question: "?" } as never] }])).toBeNull();
  });
});
