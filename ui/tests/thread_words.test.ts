import { describe, expect, test } from "vitest";
import type { Task, Workflow } from "../src/core/wire.ts";
import { createWords } from "../src/locales/index.ts";
import { errorText } from "../src/views/thread/error_text.ts";
import { taskIcon, taskTitle, workflowTitle } from "../src/views/thread/workflow_words.ts";

const words = createWords("en");
const workflow = (given: Partial<Workflow>): Workflow => ({ type: "custom", tasks: [], ...given });

describe("a workflow says", () => {
  test.each<[string, Partial<Workflow>, boolean, string]>([
    ["its summary's title", { summary: { title: "Planned" } }, false, "Planned"],
    ["how long it thought", { type: "reasoning", summary: { duration: 12.4 } }, false, "Thought for 12 seconds"],
    ["at least a second", { type: "reasoning", summary: { duration: 0.2 } }, false, "Thought for 1 second"],
    ["that it thinks", { type: "reasoning" }, true, "Thinking"],
    ["that it works", {}, true, "Working"],
    ["that it thought", { type: "reasoning" }, false, "Thought"],
    ["that it is done", {}, false, "Done"],
    [
      "what it is doing now",
      {
        tasks: [
          { type: "custom", title: "A", status_indicator: "loading" },
          { type: "custom", title: "B" },
        ],
      },
      true,
      "A",
    ],
    [
      "its newest step",
      {
        tasks: [
          { type: "custom", title: "A" },
          { type: "thought", title: "B", content: "" },
        ],
      },
      true,
      "B",
    ],
    ["nothing of a summary that is none", { summary: {} as never }, false, "Done"],
  ])("%s", (_, given, running, expected) => {
    expect(workflowTitle(words, workflow(given), running)).toBe(expected);
  });
});

test.each<[Task, string]>([
  [{ type: "web_search", title: "Searching", title_query: "q" }, "Searching"],
  [{ type: "web_search", title_query: "q" }, "q"],
  [{ type: "web_search", status_indicator: "loading" }, "Searching the web"],
  [{ type: "web_search" }, "Searched the web"],
  [{ type: "file" }, "Read files"],
  [{ type: "image", status_indicator: "loading" }, "Generating an image"],
  [{ type: "thought", content: "" }, ""],
  [{ type: "novel" } as never, ""],
])("task %j is called %j", (task, title) => {
  expect(taskTitle(words, task)).toBe(title);
});

test("a custom task may bring its icon, and an unknown one has some", () => {
  expect([
    taskIcon({ type: "custom", icon: "star" }),
    taskIcon({ type: "custom" }),
    taskIcon({ type: "novel" } as never),
  ]).toEqual(["star", "dot", "dot"]);
});

test.each([
  [{ code: "network" }, "The server cannot be reached. Check your connection and try again."],
  [{ code: "custom", message: "My own words" }, "My own words"],
  [{ code: "toString" }, "An error occurred while answering. Please try again."],
  [{}, "An error occurred while answering. Please try again."],
])("error %j says %j", (error, text) => {
  expect(errorText(words, error)).toBe(text);
});
