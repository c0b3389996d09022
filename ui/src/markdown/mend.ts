/**
 * The text of a paragraph that is still being written, completed so that half-typed markup does not show: emphasis and
 * code are closed, a link without its end is its text, an image without its end is left out. A ")" is never added, so
 * that no address is taken for whole before it is.
 */

interface Opener {
  kind: "*" | "_" | "~" | "[" | "![";
  at: number;
  /** Of delimiters, how many are still open. */
  length: number;
}

/** A bracket or delimiter that is this far back, in characters, will hardly be closed any more. */
const MAX_BRACKET = 400;
const MAX_EMPHASIS = 2_000;

const PLAIN = /[^\\`$<![\]*_~hHwW]+/y;
const URL = /(?:https?:\/\/|www\.)(?:(?!~~)[^\s<*`)\]])+/iy;
const TAG = /<(?:\/?[a-z][^<>]*|[a-z][\w.+-]*[:@][^\s<>]*)>/iy;
const FORMULA = /\$(?![\s$])(?:\\[^\n]|[^\\$\n]){1,500}?\$(?![\p{L}\p{N}$])/uy;
/** A link's "(destination "title")", and the same as far as it is there. */
const DESTINATION =
  /\([ \t\n]*(?:<(?:\\.|[^<>\n\\])*>|(?:\\.|[^\s()\\]|\((?:\\.|[^\s()\\]|\([^\s()]*\))*\))*)(?:\s+(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\((?:\\.|[^()\\])*\)))?\s*\)/sy;
const HALF_DESTINATION = /\(\s*(?:<[^<>\n]*>?|[^\s<]\S*)?(?:\s+(?:"[^"]*"?|'[^']*'?|\([^)]*\)?)?)?\s*$/y;

function matchAt(pattern: RegExp, src: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(src)?.[0];
}

export function mend(src: string): string {
  const openers: Opener[] = [];
  const dropped = new Set<number>();
  let end = src.length;
  let code = "";
  let i = 0;

  /** The rest is code or a formula that has no end yet. */
  const openCode = (length: number): void => {
    const text = src.slice(i + length).replace(/[`$\\]+$/, "");
    end = i;
    if (text.trim() === "") return;
    const fence = "`".repeat(1 + Math.max(0, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length)));
    code = `${fence} ${text.trim()} ${fence}`;
  };

  /** Past the closer, or the rest is code. */
  const skipTo = (closer: string, length: number): void => {
    const close = src.indexOf(closer, i + length);
    if (close < 0) openCode(length);
    else i = close + closer.length;
  };

  const closeBracket = (): void => {
    const n = openers.findLastIndex(({ kind }) => kind.endsWith("["));
    const opener = openers[n];
    if (!opener) return void i++;
    const next = src[i + 1];
    const whole =
      next === "(" ? matchAt(DESTINATION, src, i + 1) : next === "[" ? matchAt(/\[[^\]]*\]/y, src, i + 1) : undefined;
    const half =
      !whole &&
      (next === undefined ||
        (next === "(" && matchAt(HALF_DESTINATION, src, i + 1) !== undefined) ||
        (next === "[" && src.length - i < MAX_BRACKET));
    if (half) {
      if (opener.kind === "![") end = opener.at;
      else {
        dropped.add(opener.at);
        end = i;
      }
    }
    // Delimiters within a link have no partner outside; those between brackets that are none may have.
    openers.splice(n, whole || end <= opener.at ? openers.length : 1);
    i += 1 + (whole?.length ?? 0);
  };

  const delimiters = (kind: "*" | "_" | "~"): void => {
    const start = i;
    while (src[i] === kind) i++;
    const [before, after] = [src[start - 1], src[i]];
    let left = i - start;
    if (kind === "~" && left !== 2 && after !== undefined) return;
    const opens = flanks(before, after) && (kind !== "_" || !isWord(before));
    const closes = flanks(after, before) && (kind !== "_" || !isWord(after));
    for (let n = openers.length - 1; n >= 0 && closes && left > 0; n--) {
      const opener = openers[n]!;
      if (opener.kind.endsWith("[")) break;
      if (opener.kind !== kind) continue;
      // Only a part of the closer is there.
      if (after === undefined && left < opener.length) {
        end = start;
        return;
      }
      const matched = Math.min(left, opener.length);
      left -= matched;
      opener.length -= matched;
      openers.splice(opener.length > 0 ? n + 1 : n);
    }
    // At the very end it may become an opener.
    if (left > 0 && after === undefined) end = i - left;
    else if (left > 0 && opens) openers.push({ kind, at: i - left, length: left });
  };

  while (i < end) {
    const char = src[i]!;
    const pair = src.slice(i, i + 2);
    if (pair === "\\(" || pair === "\\[") skipTo(pair === "\\(" ? "\\)" : "\\]", 2);
    else if (char === "\\") {
      if (i + 1 === src.length) end = i;
      i += 2;
    } else if (char === "`") {
      const ticks = matchAt(/`+/y, src, i)!.length;
      const close = closingTicks(src, i + ticks, ticks);
      if (close !== undefined) i = close;
      else openCode(ticks);
    } else if (pair === "$$") skipTo("$$", 2);
    else if (char === "$" && i + 1 === src.length) end = i;
    else if (char === "$") i += matchAt(FORMULA, src, i)?.length ?? 1;
    else if (char === "<") {
      const rest = src.slice(i, i + 4);
      const comment = rest === "<!--" ? src.indexOf("-->", i + 4) : -1;
      if (comment >= 0) i = comment + 3;
      else if (rest === "<!--" || (i + rest.length === src.length && "<!--".startsWith(rest))) end = i;
      else {
        if (matchAt(/<[a-z][\w.+-]*:[^\s<>]*$/iy, src, i)) dropped.add(i);
        i += matchAt(TAG, src, i)?.length ?? 1;
      }
    } else if (pair === "![") {
      openers.push({ kind: "![", at: i, length: 0 });
      i += 2;
    } else if (char === "!" && i + 1 === src.length) end = i;
    else if (char === "[") openers.push({ kind: "[", at: i++, length: 0 });
    else if (char === "]") closeBracket();
    else if (char === "*" || char === "_" || char === "~") delimiters(char);
    else i += (matchAt(PLAIN, src, i) ?? matchAt(URL, src, i))?.length ?? 1;
  }

  const written = (from: number): string => {
    let text = "";
    for (let at = from; at < end; at++) if (!dropped.has(at)) text += src[at];
    return text + code;
  };
  let closers = "";
  for (const { kind, at, length } of openers.reverse()) {
    if (at >= end) continue;
    if (kind === "[") {
      if (end - at < MAX_BRACKET) dropped.add(at);
    } else if (kind === "![") {
      if (end - at < MAX_BRACKET) [end, code, closers] = [at, "", ""];
    } else if (written(at + length).trim() === "") end = at;
    else if (end - at < MAX_EMPHASIS) closers += kind.repeat(length);
  }
  return closers ? written(0).trimEnd() + closers : written(0);
}

/** Past the next run of exactly so many backticks. */
function closingTicks(src: string, from: number, ticks: number): number | undefined {
  const pattern = /`+/g;
  pattern.lastIndex = from;
  for (let run = pattern.exec(src); run; run = pattern.exec(src)) if (run[0].length === ticks) return pattern.lastIndex;
  return undefined;
}

function isWord(char: string | undefined): boolean {
  return char !== undefined && /[^\s\p{P}\p{S}]/u.test(char);
}

/** Whether a run of delimiters between `outside` and `inside` leans on what is inside. */
function flanks(outside: string | undefined, inside: string | undefined): boolean {
  if (inside === undefined || /\s/.test(inside)) return false;
  return isWord(inside) || !isWord(outside);
}
