/** What a server said instead of doing it, from whatever it answered with. */

import { ApiError } from "./transport.ts";

const LONGEST_TEXT = 300;

/**
 * Reads the body. Knows `{error: {message, code}}`, FastAPI's `{detail}`, their looser relatives and plain text; of a
 * page of HTML or an empty body only the status is told.
 */
export async function refusalOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  const { message, code } = read(text.trim());
  return new ApiError(
    response.status,
    message || `The server answered ${[response.status, response.statusText].join(" ").trim()}.`,
    code ?? null,
    waitOf(response.headers.get("retry-after")),
  );
}

interface Told {
  message?: string | undefined;
  code?: string | undefined;
}

function read(text: string): Told {
  try {
    return told(JSON.parse(text));
  } catch {
    return /^<|^$/.test(text) ? {} : { message: shortened(text) };
  }
}

function told(body: unknown): Told {
  if (typeof body === "string") return { message: shortened(body) };
  if (Array.isArray(body)) {
    const messages = body.map((each) => told(each).message).filter(Boolean);
    return { message: shortened(messages.join("; ")) };
  }
  if (typeof body !== "object" || body === null) return {};
  const { error, detail, message, msg, code } = body as Record<string, unknown>;
  const inner = error ?? detail ?? message ?? msg;
  return { ...(typeof code === "string" && { code }), ...(inner !== undefined && told(inner)) };
}

function shortened(text: string): string {
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
}

/** Milliseconds of a `Retry-After` in seconds or as a date. */
function waitOf(header: string | null): number | null {
  if (!header) return null;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}
