import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Announcer } from "../src/views/announcer.ts";

interface Written {
  region: number;
  role: string;
  text: string;
  at: number;
}

let written: Written[];
let announcer: Announcer;

beforeEach(() => {
  vi.useFakeTimers();
  written = [];
  let regions = 0;
  const createElement = () => {
    const region = regions++;
    let role = "";
    return {
      setAttribute: (_name: string, value: string) => {
        role = value;
      },
      set textContent(text: string) {
        if (text) written.push({ region, role, text, at: performance.now() });
      },
    };
  };
  vi.stubGlobal("document", { createElement });
  announcer = new Announcer({ append: () => {} } as unknown as HTMLElement);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("the same words said again come into another region, so that they are read again", () => {
  for (const _ of [1, 2]) {
    announcer.say("Copied");
    vi.advanceTimersByTime(1_000);
  }
  expect(written.map(({ text }) => text)).toEqual(["Copied", "Copied"]);
  expect(written[0]?.region).not.toBe(written[1]?.region);
});

test("at most one thing is said in a second, and nothing is lost", () => {
  for (const text of ["Message sent", "Assistant is responding", "One.", "Two."]) {
    announcer.say(text);
    vi.advanceTimersByTime(300);
  }
  vi.advanceTimersByTime(1_000);
  expect(written.map(({ text }) => text)).toEqual(["Message sent", "Assistant is responding One. Two."]);
  expect(written[1]!.at - written[0]!.at).toBeGreaterThanOrEqual(1_000);
});

test("what is urgent waits for nothing", () => {
  announcer.say("Message sent");
  announcer.say("Sending failed", true);
  expect(written.map(({ role, text }) => [role, text])).toEqual([["alert", "Sending failed"]]);
});

test("nothing is said after the end", () => {
  announcer.say("Message sent");
  announcer.destroy();
  vi.advanceTimersByTime(5_000);
  expect(written).toEqual([]);
});
