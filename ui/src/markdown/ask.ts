/** Links that are asked about before they are opened. */

import type { MarkdownHost } from "./scene.ts";

/** In place of what a click on the link would do: opens it if the reader says yes. */
export async function openAsked(event: Event, url: string, host: Pick<MarkdownHost, "confirmLink">): Promise<void> {
  // The other buttons open no link.
  if ((event as MouseEvent).button > 1) return;
  event.preventDefault();
  if (await host.confirmLink(url)) window.open(url, "_blank", "noopener,noreferrer");
}
