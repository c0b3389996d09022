/** One file on its way to the server. */

import type { UploadStrategy } from "./options.ts";
import { jsonOf } from "./send.ts";
import { ApiError, type Progress, type Transport } from "./transport.ts";
import type { Attachment } from "./wire.ts";

export interface UploadSettings {
  transport: Transport;
  strategy: UploadStrategy;
  signal?: AbortSignal | undefined;
  onProgress?: Progress | undefined;
}

/**
 * Uploads a file. Rejects as the transport does, and with `ApiError` where the answer is no attachment.
 *
 * `direct` posts a form with the part `file`. `two_phase` announces the file, then sends it where the answer says: as
 * such a form with POST, as the bare bytes with PUT, which is what presigned URLs of object stores take.
 */
export async function upload(
  file: File,
  { transport, strategy, signal, onProgress }: UploadSettings,
): Promise<Attachment> {
  const abortable = signal && { signal };
  const send = (url: string, init: RequestInit) => transport.upload(url, { ...init, ...abortable }, onProgress);
  const form = new FormData();
  form.append("file", file, file.name);

  if (strategy.type === "direct") {
    const response = await send(strategy.uploadUrl, { method: "POST", body: form });
    return attachmentOf(await jsonOf(response, signal), file);
  }

  const announced = { name: file.name, size: file.size, mime_type: mimeTypeOf(file) };
  const created: unknown = await transport.call("attachments.create", announced, { signal });
  const attachment = attachmentOf(created, file);
  try {
    const { url, method, headers } = targetOf(created);
    // A form's own type has the boundary in it.
    if (method === "POST") headers.delete("content-type");
    await send(url, { method, headers, body: method === "PUT" ? file : form });
  } catch (error) {
    // An attachment without its bytes is of no use; whether the server still has it changes nothing here.
    transport.call("attachments.delete", { attachment_id: attachment.id }).catch(() => {});
    throw error;
  }
  return attachment;
}

export function mimeTypeOf(file: File): string {
  return file.type || "application/octet-stream";
}

function attachmentOf(answer: unknown, file: File): Attachment {
  const { id, type, name, mime_type, preview_url } = (answer ?? {}) as Partial<Record<keyof Attachment, unknown>>;
  if (typeof id !== "string" || !id) throw new ApiError(200, "The server answered the upload without an attachment.");
  return {
    type: type === "image" ? "image" : "file",
    id,
    name: typeof name === "string" ? name : file.name,
    mime_type: typeof mime_type === "string" ? mime_type : mimeTypeOf(file),
    ...(typeof preview_url === "string" && { preview_url }),
  };
}

function targetOf(created: unknown): { url: string; method: "POST" | "PUT"; headers: Headers } {
  const { upload_descriptor: descriptor, upload_url } = created as Attachment;
  const url: unknown = descriptor?.url ?? upload_url;
  if (typeof url !== "string") throw new ApiError(200, "The server did not say where to upload to.");
  return {
    url,
    method: descriptor?.method === "PUT" ? "PUT" : "POST",
    headers: new Headers(descriptor?.headers ?? {}),
  };
}
