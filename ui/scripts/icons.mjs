/**
 * Icons from Lucide: `node scripts/icons.mjs` writes src/views/icon.paths.ts and src/lazy/icons.json, `--check` says
 * whether they are up to date.
 * The build also takes its lazy chunks with every Lucide icon from here.
 */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("../node_modules/lucide-static/icons/", import.meta.url));
const TARGET = fileURLToPath(new URL("../src/views/icon.paths.ts", import.meta.url));
const LAZY_TARGET = fileURLToPath(new URL("../src/lazy/icons.json", import.meta.url));
const SHARDS = 16;

/** What the interface itself shows, and is in the script from the start. */
const OWN = new Set(
  (
    "arrow-down arrow-up at back check check-circle chevron-down chevron-end chevron-right chevron-start close compose " +
    "copy dot dots-horizontal file globe history image image-off info mic paperclip pencil plus quote reload reply " +
    "search settings-cog settings-slider sparkle stop thumbs-down thumbs-up trash warning wifi-off"
  ).split(" "),
);

/** ChatKit's names and our own by the Lucide icon that draws them. */
const NAMES = {
  // ChatKit's icons
  bot: "agent",
  "chart-no-axes-combined": "analytics",
  atom: "atom",
  layers: "batch",
  zap: "bolt",
  "book-open": "book-open",
  book: "book-closed",
  "id-card": "profile-card",
  bug: "bug",
  calendar: "calendar",
  "chart-column": "chart",
  check: "check",
  "circle-check": "check-circle",
  "chevron-left": "chevron-left chevron-start",
  "chevron-right": "chevron-right chevron-end",
  "circle-question-mark": "circle-question",
  clock: "clock",
  compass: "compass",
  "party-popper": "confetti",
  box: "cube",
  monitor: "desktop",
  "file-text": "document",
  ellipsis: "dots-horizontal dots",
  "ellipsis-vertical": "dots-vertical",
  circle: "empty-circle",
  "external-link": "external-link external",
  globe: "globe",
  "key-round": "keys",
  "flask-conical": "lab",
  images: "images",
  info: "info",
  "life-buoy": "lifesaver",
  lightbulb: "lightbulb",
  mail: "mail",
  "map-pin": "map-pin",
  map: "maps",
  smartphone: "mobile",
  signature: "name",
  notebook: "notebook",
  "notebook-pen": "notebook-pencil",
  file: "page-blank file",
  phone: "phone",
  play: "play",
  plus: "plus",
  "circle-user": "profile",
  "rotate-cw": "reload",
  star: "star",
  search: "search",
  sparkle: "sparkle",
  sparkles: "sparkle-double",
  "square-code": "square-code",
  image: "square-image image",
  briefcase: "suitcase",
  "sliders-horizontal": "settings-slider",
  user: "user",
  award: "wreath",
  pencil: "write pencil",
  "pen-line": "write-alt",
  "square-pen": "write-alt2 compose",
  // ChatKit's header icons
  "panel-left": "sidebar-left",
  "panel-right": "sidebar-right",
  "panel-left-open": "sidebar-open-left",
  "panel-right-open": "sidebar-open-right",
  "panel-left-dashed": "sidebar-open-left-alt",
  "panel-right-dashed": "sidebar-open-right-alt",
  "panel-left-close": "sidebar-collapse-left",
  "panel-right-close": "sidebar-collapse-right",
  "arrow-left-to-line": "collapse-left",
  "arrow-right-to-line": "collapse-right",
  "arrow-left-from-line": "open-left",
  "arrow-right-from-line": "open-right",
  "chevrons-left": "double-chevron-left",
  "chevrons-right": "double-chevron-right",
  house: "home",
  "house-heart": "home-alt",
  "arrow-left": "back-large back",
  "maximize-2": "expand-large",
  "minimize-2": "collapse-large",
  maximize: "expand-small",
  minimize: "collapse-small",
  "message-circle-dashed": "chat-temporary",
  settings: "settings-cog settings",
  "layout-grid": "grid",
  menu: "menu hamburger",
  "text-align-end": "menu-inverted",
  history: "history",
  upload: "share",
  sun: "light-mode",
  moon: "dark-mode",
  x: "close",
  // what our own interface needs besides
  "arrow-up": "arrow-up send",
  "arrow-down": "arrow-down",
  "chevron-up": "chevron-up",
  "chevron-down": "chevron-down",
  mic: "mic",
  "at-sign": "at",
  slash: "slash",
  paperclip: "paperclip",
  "trash-2": "trash",
  copy: "copy",
  "thumbs-up": "thumbs-up",
  "thumbs-down": "thumbs-down",
  "text-quote": "quote",
  reply: "reply",
  "triangle-alert": "warning",
  "octagon-alert": "danger",
  "circle-alert": "error",
  "wifi-off": "wifi-off",
  loader: "loader",
  lock: "lock",
  "image-off": "image-off",
  brain: "thought",
  wrench: "tool",
  "list-checks": "steps",
  sigma: "formula",
  quote: "citation",
};

/** What Lucide does not have. `FILLED` in icon.ts names those that are areas. */
const DRAWN = {
  dot: circle(12, 12, 4),
  stop: "M8 6h8a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H8a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2z",
  "check-circle-filled": `${circle(12, 12, 10)}M10.9 16.1l6-6-1.5-1.5-4.5 4.5-2.3-2.3-1.5 1.5z`,
  "book-clock":
    "M8 6h8M4 19.5v-15A2.5 2.5 0 0 1 6.5 2H19a1 1 0 0 1 1 1v5M4 19.5A2.5 2.5 0 0 0 6.5 22H9M12.5 17a4.5 4.5 0 1 0 9 0 4.5 4.5 0 1 0-9 0M17 15v2l1.3.8",
  "square-text": `${rect(3, 3, 18, 18, 2)}M7 8h10M7 12h10M7 16h6`,
  "back-small": "M14 8l-4 4 4 4",
  "sidebar-floating-left": `${rect(3, 3, 18, 18, 2)}M7.5 7.5v9`,
  "sidebar-floating-right": `${rect(3, 3, 18, 18, 2)}M16.5 7.5v9`,
  "sidebar-floating-open-left": `${rect(3, 3, 18, 18, 2)}M7.5 7.5v9M12 9.5l2.5 2.5-2.5 2.5`,
  "sidebar-floating-open-right": `${rect(3, 3, 18, 18, 2)}M16.5 7.5v9M12 9.5L9.5 12l2.5 2.5`,
  "dots-horizontal-circle": `${circle(12, 12, 10)}M8 12h.01M12 12h.01M16 12h.01`,
  "dots-vertical-circle": `${circle(12, 12, 10)}M12 8v.01M12 12v.01M12 16v.01`,
};
DRAWN["star-filled"] = lucide("star");

/** The path of one Lucide icon: its shapes in one `d`. */
function lucide(name) {
  const text = readFileSync(`${SOURCE}${name}.svg`, "utf8");
  const body = text.slice(text.indexOf(">", text.indexOf("<svg")) + 1);
  return [...body.matchAll(/<(\w+)\s([^>]*?)\/?>/g)].map(([, shape, attributes]) => path(shape, attributes)).join("");
}

function path(shape, attributes) {
  const values = Object.fromEntries(
    [...attributes.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, key, value]) => [key, value]),
  );
  const numbers = (...keys) => keys.map((key) => Number(values[key] ?? 0));
  switch (shape) {
    case "path":
      return absolute(values.d);
    case "circle":
      return circle(...numbers("cx", "cy", "r"));
    case "ellipse":
      return ellipse(...numbers("cx", "cy", "rx", "ry"));
    case "rect":
      return rect(...numbers("x", "y", "width", "height"), Number(values.rx ?? values.ry ?? 0));
    case "line": {
      const [x1, y1, x2, y2] = numbers("x1", "y1", "x2", "y2");
      return `M${x1} ${y1}L${x2} ${y2}`;
    }
    case "polyline":
      return `M${values.points.trim()}`;
    case "polygon":
      return `M${values.points.trim()}z`;
    default:
      throw new Error(`an icon has a <${shape}>, which this script cannot draw`);
  }
}

/** The same path with its first move absolute: a relative one would begin where the shape before it ended. */
function absolute(d) {
  return d.replace(
    /^m\s*(-?[\d.]+)[ ,]?(-?(?:\d+\.?\d*|\.\d+))\s*(?=([-.\d])?)/,
    (_, x, y, more) => `M${x} ${y}${more ? "l" : ""}`,
  );
}

function circle(x, y, r) {
  return ellipse(x, y, r, r);
}

function ellipse(x, y, rx, ry) {
  return `M${x - rx} ${y}a${rx} ${ry} 0 1 0 ${2 * rx} 0 ${rx} ${ry} 0 1 0-${2 * rx} 0`;
}

function rect(x, y, width, height, r) {
  if (!r) return `M${x} ${y}h${width}v${height}h-${width}z`;
  const [w, h] = [width - 2 * r, height - 2 * r];
  const side = (command, length) => (length ? `${command}${length}` : "");
  const corner = (dx, dy) => `a${r} ${r} 0 0 1 ${dx} ${dy}`;
  return (
    `M${x + r} ${y}${side("h", w)}${corner(r, r)}${side("v", h)}${corner(-r, r)}` +
    `${side("h-", w)}${corner(-r, -r)}${side("v-", h)}${corner(r, -r)}z`
  );
}

/** Every Lucide icon by its name, aliases included, in about equal parts that follow each other in order of the names. */
export function shards() {
  const names = readdirSync(SOURCE)
    .filter((file) => file.endsWith(".svg"))
    .map((file) => file.slice(0, -4))
    .sort();
  const size = Math.ceil(names.length / SHARDS);
  return Array.from({ length: SHARDS }, (_, index) =>
    Object.fromEntries(names.slice(index * size, (index + 1) * size).map((name) => [name, lucide(name)])),
  );
}

function generated() {
  const paths = { ...DRAWN };
  for (const [drawing, names] of Object.entries(NAMES))
    for (const name of names.split(" ")) paths[name] = lucide(drawing);
  const starts = shards().map((shard) => Object.keys(shard)[0]);
  const sorted = Object.entries(paths).sort(([a], [b]) => (a < b ? -1 : 1));
  const rows = sorted
    .filter(([name]) => OWN.has(name))
    .map(([name, d]) => `  ${/^\w+$/.test(name) ? name : JSON.stringify(name)}: ${JSON.stringify(d)},\n`);
  return {
    [TARGET]:
      "/* Made by scripts/icons.mjs from Lucide (https://lucide.dev), ISC licence, (c) Lucide Icons and Contributors. */\n\n" +
      "/** The `d` of each icon of the interface, in a square of 24. */\n" +
      `export const PATHS: Readonly<Record<string, string>> = {\n${rows.join("")}};\n\n` +
      "/** The first name in each lazy part of Lucide's whole set. */\n" +
      `export const SHARD_STARTS: readonly string[] = ${JSON.stringify(starts)};\n`,
    [LAZY_TARGET]: `${JSON.stringify(Object.fromEntries(sorted.filter(([name]) => !OWN.has(name))), null, 2)}\n`,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [target, text] of Object.entries(generated())) {
    if (!process.argv.includes("--check")) writeFileSync(target, text);
    else if (readFileSync(target, "utf8") !== text) {
      console.error(`${target} is not what scripts/icons.mjs makes; run \`npm run format\`.`);
      process.exitCode = 1;
    }
  }
}
