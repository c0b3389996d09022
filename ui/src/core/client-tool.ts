/** Client tools: what the page's `onClientTool` makes of a call, as the result that the server gets. */

import type { ClientTool } from "./conversation.ts";
import type { ClientToolCallItem } from "./wire.ts";

/**
 * The result as JSON; `{}` for nothing. What goes wrong becomes a result of its own, `{error: message}`, so that the
 * agent can go on, and goes to `onError`.
 */
export async function runClientTool(
  tool: ClientTool | undefined,
  { name, arguments: params }: ClientToolCallItem,
  onError: (error: Error) => void,
): Promise<unknown> {
  try {
    if (!tool) throw new Error(`This page has no client tool; "${name}" was not run.`);
    return JSON.parse(JSON.stringify(await tool({ name, params })) ?? "{}");
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    onError(error);
    return { error: error.message };
  }
}
