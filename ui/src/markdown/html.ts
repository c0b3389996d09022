/** HTML in markdown shows as it is written, without its comments. */
export function withoutComments(text: string): string {
  return text.replace(/<!--(?:-?>|[\s\S]*?(?:-->|$))/g, "");
}
