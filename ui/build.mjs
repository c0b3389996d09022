/**
 * Builds everything that ships from here: the classic script with its lazy chunks and the demo page into the Python
 * package, and the npm package into dist/. The same sources give the same bytes. Fails when the script is too large.
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import { shards } from "./scripts/icons.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const WEB = join(HERE, "../src/chatdock/web");
const COMPONENT = join(WEB, "component");
const DEMO = join(WEB, "demo");
const DIST = join(HERE, "dist");
const LUCIDE = join(HERE, "src/lazy/lucide");

/** The classic script, gzipped, in bytes. */
const WARN_ABOVE = 75_000;
const FAIL_ABOVE = 90_000;

const { name, version } = JSON.parse(readFileSync(join(HERE, "package.json"), "utf8"));

const cssAsText = {
  name: "css as minified text",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await esbuild.transform(readFileSync(path, "utf8"), {
        loader: "css",
        minify: true,
        target: TARGET,
      });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

const classicLazy = {
  name: "lazy chunks beside the script",
  setup(build) {
    build.onResolve({ filter: /\/lazy\.ts$/ }, () => ({ path: join(HERE, "src/lazy.classic.ts") }));
  },
};

/** The key under which the script leaves for its chunks what both need. Each build has its own. */
const SHARED = `${name} ${version} ${digestOfSources().slice(0, 12)}`;
const SHARED_FILE = join(HERE, "src/shared.ts");

/** In a chunk, the modules that src/shared.ts names are those of the script. A name that it lacks fails the build. */
const takesShared = {
  name: "what the script shares",
  setup(build) {
    const exports = [...readFileSync(SHARED_FILE, "utf8").matchAll(/^export \{(.*)\} from "(.*)";$/gm)];
    const names = exports.flatMap(([, list]) => list.split(",").map((each) => each.trim()));
    const modules = new Set(
      exports.map(([, , module]) => (module.startsWith(".") ? join(dirname(SHARED_FILE), module) : module)),
    );
    build.onResolve({ filter: /./ }, ({ path, resolveDir }) => {
      const module = path.startsWith(".") ? join(resolveDir, path) : path;
      return modules.has(module) ? { path: "shared", namespace: "shared", sideEffects: false } : undefined;
    });
    build.onLoad({ filter: /./, namespace: "shared" }, () => ({
      contents: `export const { ${names.join(", ")} } = globalThis[Symbol.for(${JSON.stringify(SHARED)})];`,
    }));
  },
};

const TARGET = ["es2022", "chrome111", "firefox115", "safari16.4"];
const COMMON = {
  absWorkingDir: HERE,
  bundle: true,
  minify: true,
  target: TARGET,
  charset: "utf8",
  legalComments: "none",
  metafile: true,
  write: false,
  outdir: "out",
  logLevel: "warning",
};

function digest(algorithm, parts, encoding = "hex") {
  const hash = createHash(algorithm);
  for (const part of parts) hash.update(part);
  return hash.digest(encoding);
}

/** `[{name, bytes}]` of a build, sorted by name. */
function outputs(result) {
  return result.outputFiles
    .map((file) => ({ name: relative(join(HERE, "out"), file.path), bytes: Buffer.from(file.contents) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Of all sources, as scripts/build.py computes it too: it builds again when this has changed. */
function digestOfSources() {
  const inSrc = readdirSync(join(HERE, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.startsWith(LUCIDE))
    .map((entry) => relative(HERE, join(entry.parentPath, entry.name)));
  const names = ["build.mjs", "package.json", "package-lock.json", "scripts/icons.mjs", ...inSrc].sort();
  return digest(
    "sha256",
    names.map((file) => `${file}\0${digest("sha256", [readFileSync(join(HERE, file))])}\n`),
  );
}

function locales() {
  const files = readdirSync(join(HERE, "src/locales")).filter((file) => file.endsWith(".json"));
  return files.map((file) => file.slice(0, -5)).sort();
}

/** Every module of `src/lazy/`, every language and every part of Lucide is a chunk. */
function lazyEntries() {
  const files = (folder, extension) =>
    readdirSync(join(HERE, folder))
      .filter((file) => file.endsWith(extension))
      .map((file) => [file.slice(0, -extension.length), `${folder}/${file}`]);
  return Object.fromEntries([
    ...files("src/lazy", ".ts"),
    ...files("src/lazy", ".json"),
    ...files("src/lazy/lucide", ".json").map(([shard, path]) => [`lucide-${shard}`, path]),
    ...files("src/locales", ".json").map(([tag, path]) => [`locale-${tag}`, path]),
  ]);
}

async function buildChunks() {
  const result = await esbuild.build({
    ...COMMON,
    entryPoints: lazyEntries(),
    format: "esm",
    splitting: true,
    plugins: [cssAsText, classicLazy, takesShared],
  });
  // A second Lit would ask for the Trusted Types policy `lit-html` a second time, which strict pages refuse.
  const doubled = packagesIn(result).filter((dependency) => /^(@lit\/|lit)/.test(dependency));
  if (doubled.length > 0) throw new Error(`src/shared.ts has to name what chunks take of ${doubled.join(", ")}`);
  return result;
}

function buildScript(folder) {
  return esbuild.build({
    ...COMMON,
    entryPoints: { chatkit: "src/classic.ts" },
    format: "iife",
    define: { CHUNKS: JSON.stringify(folder), SHARED: JSON.stringify(SHARED) },
    plugins: [cssAsText, classicLazy],
    // The page may load the script twice. The second time nothing of it runs, Lit and its policy included.
    banner: {
      js:
        `/* ${name} ${version}, Apache-2.0; bundled libraries: THIRD_PARTY_NOTICES.txt */\n` +
        '(()=>{if(customElements.get("openai-chatkit")){dispatchEvent(new CustomEvent("chatkit-script-loaded"));return}',
    },
    footer: { js: "})();" },
  });
}

/** The npm packages whose code is in the outputs. */
function packagesIn(...results) {
  const names = results
    .flatMap((result) => Object.values(result.metafile.outputs))
    .flatMap(({ inputs }) => Object.keys(inputs).filter((input) => inputs[input].bytesInOutput > 0))
    .map((input) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1]);
  return [...new Set(names.filter(Boolean))].sort();
}

function notices(packages) {
  const parts = packages.map((dependency) => {
    const folder = join(HERE, "node_modules", dependency);
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (!file) throw new Error(`${dependency} has no licence file`);
    const text = readFileSync(join(folder, file), "utf8").trim();
    return `${dependency} ${manifest.version} (${manifest.license})\n\n${text}\n`;
  });
  return `What chatkit.js and its chunks hold of others.\n\n${parts.join(`\n${"-".repeat(80)}\n\n`)}`;
}

function write(folder, files) {
  rmSync(folder, { recursive: true, force: true });
  for (const { name, bytes } of files) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
}

async function buildComponent() {
  const chunks = await buildChunks();
  const chunkFiles = outputs(chunks);
  const named = chunkFiles.flatMap(({ name, bytes }) => [name, bytes]);
  const folder = `chunks-${digest("sha256", named).slice(0, 12)}`;
  const script = await buildScript(folder);
  const packages = [...packagesIn(chunks, script), "lucide-static"].sort();
  const [{ bytes }] = outputs(script);
  const hash = digest("sha256", [bytes]).slice(0, 12);
  const files = [
    { name: "chatkit.js", bytes },
    { name: `chatkit-${hash}.js`, bytes },
    ...chunkFiles.map((file) => ({ name: `${folder}/${file.name}`, bytes: file.bytes })),
    { name: "THIRD_PARTY_NOTICES.txt", bytes: Buffer.from(notices(packages)) },
  ];
  const packed = files.map((file) => ({ name: `${file.name}.gz`, bytes: gzipSync(file.bytes, { level: 9 }) }));
  const manifest = {
    version,
    sources: digestOfSources(),
    script: `chatkit-${hash}.js`,
    integrity: `sha384-${digest("sha384", [bytes], "base64")}`,
    chunks: folder,
    files: Object.fromEntries(
      files.map((file, index) => [
        file.name,
        {
          etag: digest("sha256", [file.bytes]).slice(0, 32),
          bytes: file.bytes.length,
          gzip: packed[index].bytes.length,
        },
      ]),
    ),
  };
  report(manifest, script);
  checkSize(packed[0].bytes.length);
  write(COMPONENT, [...files, ...packed, { name: "manifest.json", bytes: `${JSON.stringify(manifest, null, 2)}\n` }]);
}

async function buildDemo() {
  const result = await esbuild.build({
    ...COMMON,
    entryPoints: ["page.ts", "embed.ts", "page.css"].map((file) => `src/demo/${file}`),
    format: "esm",
    splitting: true,
    define: { LOCALES: JSON.stringify(locales()) },
  });
  const pages = ["index.html", "embed.html"].map((file) => ({
    name: file,
    bytes: readFileSync(join(HERE, "src/demo", file)),
  }));
  write(DEMO, [...outputs(result), ...pages]);
}

/** For bundlers: the libraries stay imports, so that a page has one Lit, and types lie beside. */
async function buildPackage() {
  const result = await esbuild.build({
    ...COMMON,
    entryPoints: { index: "src/index.ts", core: "src/core/index.ts" },
    format: "esm",
    splitting: true,
    packages: "external",
    minify: false,
    chunkNames: "chunks/[name]-[hash]",
    plugins: [cssAsText],
    // English is the only language so far, and it is no chunk.
    logOverride: { "empty-glob": "silent" },
  });
  write(join(DIST, "esm"), outputs(result));
  rmSync(join(DIST, "types"), { recursive: true, force: true });
  execFileSync(process.execPath, [join(HERE, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.types.json"], {
    cwd: HERE,
    stdio: "inherit",
  });
}

function report(manifest, script) {
  const kilo = (bytes) => `${(bytes / 1000).toFixed(1).padStart(6)} kB`;
  const row = (label, { bytes, gzip }) => console.info(`${label.padEnd(24)}${kilo(bytes)} min ${kilo(gzip)} gzip`);
  const files = Object.entries(manifest.files);
  row("chatkit.js", manifest.files["chatkit.js"]);
  for (const [group, pattern] of Object.entries({
    markdown: /\/markdown/,
    dictation: /\/dictation/,
    "input form": /\/input_form/,
    icons: /\/icons/,
    code: /\/code/,
    math: /\/math/,
    shared: /\/chunk-/,
    lucide: /\/lucide-/,
    locale: /\/locale-/,
  })) {
    const sizes = files.filter(([file]) => pattern.test(file)).map(([, size]) => size);
    if (sizes.length === 0) continue;
    const sum = (key) => sizes.reduce((total, size) => total + size[key], 0);
    row(`  ${group}${sizes.length > 1 ? ` (${sizes.length} chunks)` : ""}`, { bytes: sum("bytes"), gzip: sum("gzip") });
  }
  console.info(`integrity="${manifest.integrity}"`);
  if (process.argv.includes("--sizes")) {
    const inputs = Object.values(script.metafile.outputs)[0].inputs;
    const largest = Object.entries(inputs).sort(([, a], [, b]) => b.bytesInOutput - a.bytesInOutput);
    for (const [input, { bytesInOutput }] of largest.slice(0, 40)) console.info(`${kilo(bytesInOutput)} ${input}`);
  }
}

function checkSize(gzip) {
  if (gzip > FAIL_ABOVE) throw new Error(`chatkit.js is ${gzip} bytes gzipped; the limit is ${FAIL_ABOVE}`);
  if (gzip > WARN_ABOVE) console.warn(`chatkit.js is ${gzip} bytes gzipped; it should stay below ${WARN_ABOVE}`);
}

write(
  LUCIDE,
  shards().map((shard, index) => ({ name: `${index}.json`, bytes: JSON.stringify(shard) })),
);
// The manifest, which says what all of it was made of, is written last.
await buildDemo();
await buildComponent();
if (!process.argv.includes("--no-package")) await buildPackage();
