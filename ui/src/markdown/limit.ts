/** Signs of markup in one paragraph, and characters; one that has more is shown as it is written. */
const MAX_MARKUP = 800;
const MAX_LENGTH = 100_000;

/** Whether the markup of a paragraph is more than anybody writes. The data of an embedded image is long, and no work. */
export function isTooMuch(line: string): boolean {
  if (line.length > MAX_LENGTH && !line.includes("](data:image/")) return true;
  let count = 0;
  for (const _ of line.matchAll(/[*_~`![\]<\\$&]/g)) if (++count > MAX_MARKUP) return true;
  return false;
}
