import { describe, expect, test } from "vitest";
import type { Annotation, AssistantMessageContent, Source } from "../src/core/wire.ts";
import { citationsOf, hostOf, readSource } from "../src/views/thread/citations.ts";

const url = (name: string): Source => ({ type: "url", url: `https://${name}.example/`, title: name });
const at = (source: unknown, index?: number | null): Annotation => ({
  type: "annotation",
  source: source as Source,
  ...(index !== undefined && { index }),
});
const part = (...annotations: Annotation[]): AssistantMessageContent => ({
  type: "output_text",
  text: "",
  annotations,
});
const numbers = (content: AssistantMessageContent[]) => {
  const { sources, parts } = citationsOf(content);
  return {
    list: sources.map(({ number, source }) => [number, source.title]),
    parts: parts.map((places) => places.map(({ index, cited }) => [index, cited.map(({ number }) => number)])),
  };
};

describe("citations", () => {
  test("sources are numbered in the order of the text, across parts", () => {
    expect(numbers([part(at(url("b"), 20), at(url("a"), 10)), part(at(url("c"), 0))])).toEqual({
      list: [
        [1, "a"],
        [2, "b"],
        [3, "c"],
      ],
      parts: [
        [
          [10, [1]],
          [20, [2]],
        ],
        [[0, [3]]],
      ],
    });
  });

  test("one place has one marker, and one source one number", () => {
    expect(numbers([part(at(url("a"), 5), at(url("b"), 5), at(url("a"), 5), at(url("a"), 9))])).toEqual({
      list: [
        [1, "a"],
        [2, "b"],
      ],
      parts: [
        [
          [5, [1, 2]],
          [9, [1]],
        ],
      ],
    });
  });

  test("sources without a place are only in the list, at its end", () => {
    expect(numbers([part(at(url("z"), null), at(url("y")), at(url("a"), 3))])).toEqual({
      list: [
        [1, "a"],
        [2, "z"],
        [3, "y"],
      ],
      parts: [[[3, [1]]]],
    });
  });

  test("what is no source is left out", () => {
    const broken = [
      null,
      7,
      { type: "url" },
      { type: "file" },
      { type: "entity", title: "x" },
      { type: "other", url: "x" },
    ];
    expect(numbers([part(...broken.map((source) => at(source, 1)))])).toEqual({ list: [], parts: [[]] });
  });

  test("members of a wrong type are as if they were not there", () => {
    expect(
      readSource({ type: "url", url: "https://www.a.example/x", title: 3, description: {}, timestamp: 1 }),
    ).toEqual({
      type: "url",
      url: "https://www.a.example/x",
      title: "a.example",
      description: null,
      timestamp: null,
      group: null,
      attribution: null,
    });
  });

  test("a host is told without www", () => {
    expect(hostOf("https://www.example.com:8080/a")).toBe("example.com");
    expect(hostOf("no url")).toBe("no url");
  });
});
