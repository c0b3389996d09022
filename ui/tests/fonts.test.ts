import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { loadFonts } from "../src/styles/fonts.ts";

const unexpected = (error: Error): void => {
  throw error;
};

let faces: { family: string; source: string }[];

beforeEach(() => {
  faces = [];
  class FontFace {
    constructor(family: string, source: string, descriptors: { weight: string }) {
      if (descriptors.weight === "heavy-ish") throw new SyntaxError("no such weight");
      faces.push({ family, source });
    }
    load = () => (faces.at(-1)?.source.includes("missing") ? Promise.reject(new Error("404")) : Promise.resolve());
  }
  vi.stubGlobal("FontFace", FontFace);
  vi.stubGlobal("document", { baseURI: "https://page.example/shop/", fonts: { add: () => {} } });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

test("a font loads once, however often a theme names it, from an address relative to the page", () => {
  const font = { family: "Inter", src: "fonts/inter.woff2" };
  loadFonts([font, font], unexpected);
  loadFonts([{ ...font }], unexpected);
  expect(faces).toEqual([{ family: "Inter", source: 'url("https://page.example/shop/fonts/inter.woff2")' }]);
});

test("an address cannot end the url() that it stands in", () => {
  loadFonts([{ family: "Odd", src: 'data:font/woff2,a") b\\' }], unexpected);
  expect(faces[0]?.source).toMatch(/^url\("[^"\\]*(\\[0-9a-f]+ [^"\\]*)*"\)$/);
});

test("a font that cannot be used or does not come is told, and others load all the same", async () => {
  const failed: string[] = [];
  loadFonts(
    [
      { family: "Wrong", src: "wrong.woff2", weight: "heavy-ish" },
      { family: "Missing", src: "missing.woff2" },
      { family: "Good", src: "good.woff2" },
    ],
    (error) => failed.push(error.message),
  );
  await vi.waitFor(() =>
    expect(failed).toEqual(["The font Wrong cannot be used.", "The font Missing could not be loaded."]),
  );
  expect(faces.map(({ family }) => family)).toEqual(["Missing", "Good"]);
});
