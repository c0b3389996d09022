/** Speaking in place of typing: a recording that the server writes down. */

import { html, nothing, type TemplateResult } from "lit";
import type { Context } from "../context.ts";
import { icon } from "../icon.ts";

const FORMATS = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];

export type DictationStatus = "off" | "asking" | "recording" | "transcribing";

export class Dictation {
  #status: DictationStatus = "off";
  #since = 0;
  /** Ends what is under way; its signal says that nobody waits for a result. */
  #ending = new AbortController();
  #recorder: MediaRecorder | undefined;

  /** `ended` gets what was said, "" for nothing. */
  constructor(
    private readonly context: Context,
    private readonly ended: (text: string) => void,
  ) {}

  get status(): DictationStatus {
    return this.#status;
  }

  async start(): Promise<void> {
    if (this.#status !== "off") return;
    const { context } = this;
    const { signal } = this.#ending;
    this.#become("asking");
    let stream: MediaStream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch {
      if (signal.aborted) return;
      this.#become("off");
      context.toast(context.words.t("dictation.denied"), "error");
      this.ended("");
      return;
    }
    try {
      if (signal.aborted) return;
      const audio = await this.#record(stream, signal);
      if (signal.aborted || !audio) return;
      stopAll(stream);
      this.#become("transcribing");
      context.announce(context.words.t("dictation.transcribing"));
      const audio_base64 = await base64(audio);
      const mime_type = audio.type;
      const { text } = await context.transport.call("input.transcribe", { audio_base64, mime_type }, { signal });
      if (typeof text !== "string") throw new Error("The server answered the recording without a text.");
      this.#become("off");
      this.ended(text.trim());
    } catch (error) {
      if (signal.aborted) return;
      this.#become("off");
      context.toast(context.words.t("dictation.failed"), "error");
      this.ended("");
      context.error(error instanceof Error ? error : new Error(String(error)));
    } finally {
      stopAll(stream);
    }
  }

  /** Ends the recording and has it written down. */
  stop(): void {
    if (this.#recorder?.state === "recording") this.#recorder.stop();
  }

  /** Ends it without a result. */
  cancel(): void {
    this.#ending.abort();
    this.#ending = new AbortController();
    if (this.#status !== "off") this.#become("off");
  }

  /** Resolves to the recording once it is stopped; undefined when it was cancelled. */
  async #record(stream: MediaStream, signal: AbortSignal): Promise<Blob | undefined> {
    const mimeType = FORMATS.find((format) => MediaRecorder.isTypeSupported(format));
    if (!mimeType) throw new Error(`The browser records none of ${FORMATS.join(", ")}.`);
    const recorder = new MediaRecorder(stream, { mimeType });
    const parts: Blob[] = [];
    recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
    const clock = setInterval(() => this.context.update(), 1000);
    const ended = new Promise<void>((resolve, reject) => {
      recorder.addEventListener("stop", () => resolve());
      recorder.addEventListener("error", () => reject(new Error("The recording broke off.")));
      signal.addEventListener("abort", () => resolve());
    });
    try {
      recorder.start();
      this.#recorder = recorder;
      this.#since = performance.now();
      this.#become("recording");
      this.context.announce(this.context.words.t("dictation.recording"));
      await ended;
    } finally {
      clearInterval(clock);
      this.#recorder = undefined;
    }
    return signal.aborted ? undefined : new Blob(parts, { type: mimeType });
  }

  #become(status: DictationStatus): void {
    this.#status = status;
    this.context.update();
  }

  /** What stands in the place of the actions while it records or waits; nothing otherwise. */
  render(): TemplateResult | typeof nothing {
    const { words } = this.context;
    if (this.#status === "off") return nothing;
    const seconds = Math.floor((performance.now() - this.#since) / 1000);
    const recording = this.#status === "recording";
    return html`<div class="composer-dictation" data-status=${this.#status}>
      <button
        type="button"
        class="composer-button"
        aria-label=${words.t("dictation.cancel")}
        title=${words.t("dictation.cancel")}
        @click=${() => {
          this.cancel();
          this.ended("");
        }}
      >${icon("close")}</button>
      <span class="composer-dictation-status">
        <span class="composer-pulse" aria-hidden="true"></span>
        ${words.t(recording ? "dictation.recording" : this.#status === "asking" ? "dictation.start" : "dictation.transcribing")}
        ${recording ? html`<span role="timer" class="composer-time">${clockTime(seconds)}</span>` : nothing}
      </span>
      <button
        type="button"
        class="composer-send composer-dictation-stop"
        aria-label=${words.t("dictation.stop")}
        title=${words.t("dictation.stop")}
        aria-disabled=${recording ? nothing : "true"}
        @click=${() => this.stop()}
      >${icon("check")}</button>
    </div>`;
  }
}

function stopAll(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

/** "1:05" */
export function clockTime(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function base64(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(String(reader.result).split(",")[1] ?? ""));
    reader.addEventListener("error", () => reject(reader.error ?? new Error("The recording could not be read.")));
    reader.readAsDataURL(blob);
  });
}
