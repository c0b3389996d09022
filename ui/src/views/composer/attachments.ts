/** The files of the message that is being written: uploads under way, done, or failed. */

import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { fileProblem } from "../../core/accept.ts";
import { mimeTypeOf, upload } from "../../core/uploads.ts";
import type { Attachment } from "../../core/wire.ts";
import type { Context } from "../context.ts";
import { icon } from "../icon.ts";

export interface Upload {
  readonly key: number;
  readonly name: string;
  readonly mimeType: string;
  readonly isImage: boolean;
  /** Without it the page attached what it had uploaded itself. */
  readonly file?: File;
  status: "uploading" | "done" | "failed";
  /** 0 to 1, or null: not known. */
  fraction: number | null;
  /** Of the file while there is no `preview_url`; to be revoked. */
  localUrl?: string | undefined;
  attachment?: Attachment;
  abort: AbortController;
}

const DEFAULT_MAX_COUNT = 10;

export class Attachments {
  #uploads: Upload[] = [];
  #lastKey = 0;

  constructor(private readonly context: Context) {}

  get uploads(): readonly Upload[] {
    return this.#uploads;
  }

  /** Whether files can be attached. */
  get enabled(): boolean {
    return this.context.options.composer?.attachments?.enabled === true && this.context.uploadStrategy !== null;
  }

  /** What is uploaded. */
  get attachments(): Attachment[] {
    return attachmentsOf(this.#uploads);
  }

  /** Uploads files; a toast names each that is not accepted, with the reason. */
  add(files: readonly File[]): void {
    const { context } = this;
    const { words } = context;
    const limits = context.options.composer?.attachments;
    if (!limits || !this.enabled) return;
    const maxCount = limits.maxCount ?? DEFAULT_MAX_COUNT;
    for (const file of files) {
      const { name } = file;
      const problem = fileProblem(file, limits);
      if (problem?.reason === "type") {
        context.toast(words.t("attachment.wrongType", { name }), "error");
      } else if (problem) {
        context.toast(words.t("attachment.tooLarge", { name, limit: words.bytes(problem.limit) }), "error");
      } else if (this.#uploads.length >= maxCount) {
        context.toast(words.t("attachment.tooMany", { count: maxCount }), "error");
        break;
      } else {
        this.#begin(file);
      }
    }
    this.context.update();
  }

  /** Takes the place of what is attached. */
  set(attachments: readonly Attachment[]): void {
    for (const each of this.#uploads) this.#release(each);
    this.#uploads = attachments.map((attachment) => ({
      key: ++this.#lastKey,
      name: attachment.name,
      mimeType: attachment.mime_type,
      isImage: attachment.type === "image",
      status: "done",
      fraction: 1,
      attachment,
      abort: new AbortController(),
    }));
    this.context.update();
  }

  remove(removed: Upload): void {
    const { context } = this;
    this.#uploads = this.#uploads.filter((each) => each !== removed);
    this.#release(removed);
    if (removed.file && removed.attachment) {
      // The server tidies up what is left; the reader is done with it.
      context.transport.call("attachments.delete", { attachment_id: removed.attachment.id }).catch(() => {});
    }
    context.announce(context.words.t("attachment.removed", { name: removed.name }));
    context.update();
  }

  retry(failed: Upload): void {
    failed.status = "uploading";
    failed.fraction = null;
    failed.abort = new AbortController();
    void this.#run(failed);
    this.context.update();
  }

  /** Takes everything out, for a message that is being sent. Ends with `sent` or `putBack`. */
  take(): Upload[] {
    const taken = this.#uploads;
    this.#uploads = [];
    return taken;
  }

  sent(taken: readonly Upload[]): void {
    for (const each of taken) this.#release(each);
  }

  putBack(taken: readonly Upload[]): void {
    this.#uploads = [...taken, ...this.#uploads];
  }

  /** Ends all uploads. */
  clear(): void {
    this.set([]);
  }

  #begin(file: File): void {
    const isImage = file.type.startsWith("image/");
    const begun: Upload = {
      key: ++this.#lastKey,
      name: file.name,
      mimeType: mimeTypeOf(file),
      isImage,
      file,
      status: "uploading",
      fraction: null,
      localUrl: isImage ? URL.createObjectURL(file) : undefined,
      abort: new AbortController(),
    };
    this.#uploads = [...this.#uploads, begun];
    void this.#run(begun);
  }

  async #run(running: Upload): Promise<void> {
    const { context } = this;
    const { signal } = running.abort;
    const { name } = running;
    try {
      if (!running.file || !context.uploadStrategy) throw new Error("The server takes no files.");
      running.attachment = await upload(running.file, {
        transport: context.transport,
        strategy: context.uploadStrategy,
        signal,
        onProgress: (fraction) => {
          running.fraction = fraction;
          context.update();
        },
      });
      running.status = "done";
      if (running.attachment.preview_url) this.#revoke(running);
      context.announce(context.words.t("attachment.uploaded", { name }));
    } catch (error) {
      if (signal.aborted) return;
      running.status = "failed";
      context.announce(context.words.t("attachment.failed", { name }), true);
      context.error(error instanceof Error ? error : new Error(String(error)));
    }
    context.update();
  }

  #release(released: Upload): void {
    released.abort.abort();
    this.#revoke(released);
  }

  #revoke(released: Upload): void {
    if (released.localUrl) URL.revokeObjectURL(released.localUrl);
    released.localUrl = undefined;
  }
}

/** What is uploaded of these. */
export function attachmentsOf(uploads: readonly Upload[]): Attachment[] {
  return uploads.flatMap((each) => (each.status === "done" && each.attachment ? [each.attachment] : []));
}

/** A chip each; `changed` is called with the place of one whose button has gone, so that the focus goes on from there. */
export function attachmentChips(
  context: Context,
  attachments: Attachments,
  changed: (index: number) => void,
): TemplateResult | typeof nothing {
  const { words } = context;
  if (attachments.uploads.length === 0) return nothing;
  return html`<ul class="composer-files" aria-label=${words.t("message.attachments")}>
    ${repeat(
      attachments.uploads,
      ({ key }) => key,
      (each, index) => html`<li
        class=${each.isImage ? "composer-file composer-image" : "composer-file"}
        data-status=${each.status}
        title=${each.name}
      >
        ${preview(each)}
        <span class="composer-file-text">
          <span class="composer-file-name">${each.name}</span>
          <span class="composer-file-kind">${each.status === "failed" ? words.t("attachment.notUploaded") : kindOf(each)}</span>
        </span>
        ${each.status === "uploading" ? ring(context, each) : nothing}
        ${
          each.status === "failed"
            ? html`<button
              type="button"
              class="composer-file-button composer-file-retry"
              aria-label=${words.t("attachment.retry", { name: each.name })}
              @click=${() => {
                attachments.retry(each);
                changed(index);
              }}
            >${icon("reload")}</button>`
            : nothing
        }
        <button
          type="button"
          class="composer-file-button composer-file-remove"
          aria-label=${words.t("attachment.remove", { name: each.name })}
          @click=${() => {
            attachments.remove(each);
            changed(index);
          }}
        >${icon("close")}</button>
      </li>`,
    )}
  </ul>`;
}

function preview(each: Upload): TemplateResult {
  const url = each.isImage && (each.localUrl ?? each.attachment?.preview_url);
  // A picture that the browser cannot show leaves the icon behind it to be seen.
  return html`<span class="composer-file-icon">
    ${icon(each.isImage ? "image" : "file")}
    ${url ? html`<img class="composer-file-preview" src=${url} alt="" @error=${loaded} @load=${loaded} />` : nothing}
  </span>`;
}

function loaded({ target, type }: Event): void {
  (target as HTMLElement).hidden = type === "error";
}

function ring(context: Context, { name, fraction }: Upload): TemplateResult {
  const { words } = context;
  const percent = Math.round((fraction ?? 0) * 100);
  return html`<svg
    class="composer-ring"
    viewBox="0 0 24 24"
    role="progressbar"
    aria-label=${words.t("attachment.uploading", { name, percent: words.percent(fraction ?? 0) })}
    aria-valuenow=${fraction === null ? nothing : percent}
    data-unknown=${fraction === null ? "" : nothing}
  >
    <circle cx="12" cy="12" r="9"></circle>
    <circle cx="12" cy="12" r="9" pathLength="100" stroke-dasharray="${fraction === null ? 25 : percent} 100"></circle>
  </svg>`;
}

/** "PDF" of "report.pdf" */
function kindOf({ name, mimeType }: Upload): string {
  const extension = /\.([^.\s]{1,8})$/.exec(name)?.[1];
  return (extension ?? mimeType.split("/")[1] ?? mimeType).toUpperCase();
}
