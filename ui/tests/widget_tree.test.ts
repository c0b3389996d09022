import { describe, expect, test } from "vitest";
import type { WidgetNode } from "../src/core/wire.ts";
import { isPossible, readAction } from "../src/views/widgets/actions.ts";
import { childrenOf, hasFields, widgetText } from "../src/views/widgets/tree.ts";

const odd = (children: unknown): WidgetNode => ({ type: "Card", children }) as WidgetNode;

describe("a widget tree", () => {
  test.each([[null], [undefined], ["text"], [7], [[null, "x", {}, { type: 3 }]]])(
    "has no children in %j",
    (children) => {
      expect(childrenOf(odd(children))).toEqual([]);
    },
  );

  test("may have a child that stands alone", () => {
    expect(childrenOf(odd({ type: "Text", value: "a" }))).toHaveLength(1);
  });

  test("says what is in it, in order, without what is pressed or of a wrong type", () => {
    const widget: WidgetNode = {
      type: "Card",
      status: { text: "Draft" },
      children: [
        { type: "Title", value: "Hello" },
        {
          type: "Row",
          children: [
            { type: "Badge", label: "new" },
            { type: "Text", value: { not: "text" } },
          ],
        },
        { type: "Button", label: "Press" },
        { type: "Unknown", children: [{ type: "Caption", value: "below" }] },
        {
          type: "Table",
          children: [
            {
              type: "Table.Row",
              children: [
                { type: "Table.Cell", children: [{ type: "Text", value: "a" }] },
                { type: "Table.Cell", children: [{ type: "Text", value: 1 }] },
              ],
            },
          ],
        },
      ],
    };
    expect(widgetText(widget)).toBe("Draft\nHello\nnew\nbelow\na\t1");
  });

  test("knows whether there is something to fill in", () => {
    expect(hasFields(odd([{ type: "Row", children: [{ type: "Input", name: "a" }] }]))).toBe(true);
    expect(hasFields(odd([{ type: "Text", value: "a", editable: { name: "a" } }]))).toBe(true);
    expect(
      hasFields(
        odd([
          { type: "Text", value: "a", editable: false },
          { type: "Button", label: "b" },
        ]),
      ),
    ).toBe(false);
  });
});

describe("an action", () => {
  test("goes to the server with a turn unless it says otherwise", () => {
    expect(readAction({ type: "a", payload: { b: 1 } })).toEqual({
      action: { type: "a", payload: { b: 1 } },
      handler: "server",
      loading: "self",
      streaming: true,
    });
    expect(readAction({ type: "a", handler: "client", loadingBehavior: "none", streaming: false })).toEqual({
      action: { type: "a" },
      handler: "client",
      loading: "none",
      streaming: false,
    });
    expect(readAction({ type: "a", loadingBehavior: "auto" }, "container")?.loading).toBe("container");
  });

  test.each([[null], ["a"], [{}], [{ type: "" }], [{ payload: {} }]])("is none in %j", (value) => {
    expect(readAction(value)).toBe(null);
  });

  test("waits for a running turn only if it begins one on the server", () => {
    const possible = (config: object) => isPossible(readAction({ type: "a", ...config })!, true);
    expect([possible({}), possible({ streaming: false }), possible({ handler: "client" })]).toEqual([
      false,
      true,
      true,
    ]);
    expect(isPossible(readAction({ type: "a" })!, false)).toBe(true);
  });
});
