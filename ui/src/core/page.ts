/** How the newest items of a thread, read again, and what is on the screen become one. */

import { type Entry, PENDING_ID, type Transcript } from "./transcript.ts";
import type { ThreadItem } from "./wire.ts";

/**
 * The entries after a page was read. `since` is the transcript when the page was asked for: what came, went or changed
 * after that is newer than the page and stays as it is.
 *
 * Items before the page stay if there are more than the page holds. Items that the page should hold and does not are
 * gone, except those that are still being written. Notes stay behind what they stood behind; errors go once the
 * conversation has gone on.
 */
export function mergePage(
  now: Transcript,
  since: Transcript,
  page: readonly ThreadItem[],
  hasMore: boolean,
): readonly Entry[] {
  const before = byId(since.entries);
  const shown = byId(now.entries);
  const paged = new Set(page.map(({ id }) => id));
  const goesOn = page.some(({ id }) => !shown.has(id) && !before.has(id));
  const isSent = page.some((item) => item.type === "user_message" && !shown.has(item.id) && !before.has(item.id));

  function isKept(entry: Entry): boolean {
    if (entry.id === PENDING_ID) return !isSent;
    if (entry.type === "error") return !goesOn;
    return entry.type === "notice" || !before.has(entry.id) || now.open.has(entry.id);
  }

  const first = now.entries.findIndex(({ id }) => paged.has(id));
  const older = hasMore && first > 0 ? now.entries.slice(0, first) : [];
  // What the page does not know stays behind the entry of the page that it stood behind.
  const behind = new Map<string, Entry[]>();
  let anchor = "";
  for (const entry of now.entries.slice(older.length)) {
    if (paged.has(entry.id)) anchor = entry.id;
    else if (isKept(entry)) behind.set(anchor, [...(behind.get(anchor) ?? []), entry]);
  }

  const merged: Entry[] = [...older, ...(behind.get("") ?? [])];
  for (const item of page) {
    const own = shown.get(item.id);
    const wasTakenAway = !own && before.has(item.id);
    const isNewer = own && own !== before.get(item.id);
    if (!wasTakenAway) merged.push(own && (isNewer || isSame(own, item)) ? own : Object.freeze(item));
    merged.push(...(behind.get(item.id) ?? []));
  }
  return merged;
}

function byId(entries: readonly Entry[]): Map<string, Entry> {
  return new Map(entries.map((entry) => [entry.id, entry]));
}

/** Whether two JSON values are the same, so that an entry that did not change stays the same object. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => Object.hasOwn(b, name) && isSame((a as never)[name], (b as never)[name]));
}
