/** Puts text on the clipboard, also where the page is not secure and browsers have no `navigator.clipboard`. */

/** Whether it worked. `root` is where the focus and the selection are for a moment. */
export async function copyToClipboard(text: string, root: ShadowRoot): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelecting(text, root);
  }
}

function copyBySelecting(text: string, root: ShadowRoot): boolean {
  const focused = root.activeElement as HTMLElement | null;
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "ck-hidden";
  root.append(field);
  field.select();
  try {
    return document.execCommand("copy");
  } finally {
    field.remove();
    focused?.focus();
  }
}
