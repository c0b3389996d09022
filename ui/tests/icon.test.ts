import { afterEach, expect, test, vi } from "vitest";
import chatkitTypes from "../node_modules/@openai/chatkit/types/index.d.ts?raw";
import widgetTypes from "../node_modules/@openai/chatkit/types/widgets.d.ts?raw";
import { shards } from "../scripts/icons.mjs";
import more from "../src/lazy/icons.json";
import { load } from "../src/lazy.ts";
import { PATHS } from "../src/views/icon.paths.ts";
import { pathOf, shardOf } from "../src/views/icon.ts";

function namesOf(types: string, name: string): string[] {
  const from = types.indexOf(`type ${name} =`);
  return [...types.slice(from, types.indexOf(";", from)).matchAll(/'([\w-]+)'/g)].map((match) => match[1]!);
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test.each([
  ["ChatKitIcon", chatkitTypes, 62],
  ["HeaderIcon", chatkitTypes, 46],
  ["WidgetIcon", widgetTypes, 63],
])("every %s has a drawing", (type, types, atLeast) => {
  const names = namesOf(types, type);
  expect(names.length).toBeGreaterThanOrEqual(atLeast);
  expect(names.filter((name) => !(name in PATHS || name in more))).toEqual([]);
});

test("every path begins at an absolute point and holds path data alone", () => {
  for (const [name, path] of [
    ...Object.entries(PATHS),
    ...Object.entries(more),
    ...shards().flatMap((shard) => Object.entries(shard)),
  ])
    expect(path, name).toMatch(/^M[\d\sMmLlHhVvCcSsQqTtAaZz.,-]+$/);
});

test("each of Lucide's icons is in the shard where it is looked for", () => {
  shards().forEach((shard, index) => {
    for (const name of Object.keys(shard)) expect(shardOf(name), name).toBe(index);
  });
});

test("an icon of Lucide comes with its shard, at once when the shard is there", async () => {
  const all = shards();
  const fetch = vi.spyOn(load, "lucide").mockImplementation(async (shard) => ({ default: all[shard]! }));
  expect(await pathOf("lucide:rocket")).toBe(all[shardOf("rocket")]!.rocket);
  expect(pathOf("lucide:rocket")).toBe(all[shardOf("rocket")]!.rocket);
  expect(pathOf("lucide:rocket-of-no-kind")).toBe("");
  expect(fetch).toHaveBeenCalledTimes(1);
});

test("a name that objects have by birth is no icon", async () => {
  vi.spyOn(load, "lucide").mockResolvedValue({ default: {} });
  expect(await pathOf("lucide:constructor")).toBe("");
});

test("a shard that could not be fetched is asked for again, not at every drawing", async () => {
  vi.useFakeTimers();
  const fetch = vi.spyOn(load, "lucide").mockRejectedValue(new Error("offline"));
  expect(await pathOf("lucide:a-arrow-up")).toBe("");
  expect(await pathOf("lucide:a-arrow-up")).toBe("");
  expect(fetch).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(10_000);
  fetch.mockResolvedValue({ default: { "a-arrow-up": "M0 0" } });
  expect(await pathOf("lucide:a-arrow-up")).toBe("M0 0");
});
