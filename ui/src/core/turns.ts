/** The turns of a visit, one after another: what the reader asked for, and the client tools that they call. */

import { runClientTool } from "./client-tool.ts";
import { StreamError } from "./failure.ts";
import { readThread } from "./item.ts";
import { newKey } from "./key.ts";
import { backoff } from "./pause.ts";
import { isStored, PENDING_ID, pendingToolCall, type Transcript } from "./transcript.ts";
import { ApiError, NetworkError } from "./transport.ts";
import { Turn, type TurnEnd, TurnLost } from "./turn.ts";
import type { Visit } from "./visit.ts";
import type { ClientToolCallItem, StreamEvent, StreamingOperations, Thread } from "./wire.ts";

/** Tries to read the thread again after an answer broke off. */
const MAX_READS = 6;
/** A server other than Chatdock stores what it had said a moment after its reader has gone. */
const STORED_AFTER_MS = 500;
/** When a new thread that has no title yet is read again. */
const TITLED_AFTER_MS = [1_000, 3_000];

type Operation = keyof StreamingOperations;

interface Details {
  key: string;
  retryFrom?: string | undefined;
  onBegun?(): void;
  /** The server has the message that was sent. */
  onStored?(): void;
}

export class Turns {
  readonly #visit: Visit;
  /** Reads the thread again and joins its run. */
  readonly #refresh: () => Promise<void>;
  #turn: Turn | null = null;
  /** Ends the wait for the page's tool. */
  #abandonTool: (() => void) | null = null;
  #isResponding = false;

  constructor(visit: Visit, refresh: () => Promise<void>) {
    this.#visit = visit;
    this.#refresh = refresh;
  }

  leave(): void {
    this.#turn?.leave();
    this.#endResponse();
  }

  async stop(): Promise<void> {
    this.#abandonTool?.();
    await this.#turn?.stop();
  }

  /** A turn whose refusal is an entry, from which it can be tried again as the same request. Never rejects. */
  run<T extends Operation>(type: T, params: StreamingOperations[T], retryFrom?: string): Promise<void> {
    const details = { key: newKey(), retryFrom };
    const run = async (): Promise<void> => {
      try {
        await this.follow(type, params, details);
      } catch (error) {
        if (isConflict(error)) await this.#refresh();
        // Answered in another window, which is what was wanted.
        if (error instanceof ApiError && error.code === "input_not_pending") return;
        this.#visit.tell(error, { again: run });
      }
    };
    return run();
  }

  /** A turn and those that follow from it. Rejects with what kept the first from happening. */
  async follow<T extends Operation>(type: T, params: StreamingOperations[T], details: Details): Promise<void> {
    const { end, thread } = await this.#play(type, params, details);
    if (this.#visit.isOver || end === "stopped") return;
    // A resume that came to nothing is not tried again at once.
    if (thread && type !== "threads.resume") await this.join(thread, true);
    else await this.#answerCall();
  }

  /** Follows the run that the server has; `answers` the call that waits for a page. Never rejects. */
  async join(thread: Thread, answers = false): Promise<void> {
    if (this.#visit.isOver || this.#visit.transcript.running) return;
    if (thread.active_run) await this.run("threads.resume", { thread_id: thread.id });
    else if (answers) await this.#answerCall();
  }

  // --- one turn ------------------------------------------------------------------------------------------------------

  /** Also gives the thread if it had to be read again. */
  async #play<T extends Operation>(
    type: T,
    params: StreamingOperations[T],
    details: Details,
  ): Promise<{ end: TurnEnd | "lost"; thread: Thread | null }> {
    const visit = this.#visit;
    const { transport, stage } = visit;
    const { chatdocks, pause } = visit.means;
    let hasBegun = false;
    let hasFailed = false;
    const turn = new Turn({
      transport,
      type,
      params,
      key: details.key,
      isChatdock: chatdocks.has(transport),
      pause,
      onEvent: (event, frameId) => {
        if (!hasBegun) details.onBegun?.();
        hasBegun = true;
        hasFailed ||= event.type === "error";
        this.#receive(event, frameId);
        if ("item" in event && event.item?.type === "user_message") details.onStored?.();
      },
      onUnreadable: () => stage.emit("log", "protocol.skipped", { type: "unreadable" }),
      onConnection: (isConnected) => this.#connect(isConnected),
    });
    this.#begin(turn, details.retryFrom);

    let end: TurnEnd | "lost" = "lost";
    let failure: unknown = null;
    try {
      end = await turn.run();
      // A turn may end without a word.
      if (!hasBegun && end !== "stopped" && end !== "left") details.onBegun?.();
    } catch (error) {
      failure = error;
    }
    if (turn.isChatdock) chatdocks.add(transport);
    this.#turn = null;
    this.#connect(true);
    if (visit.isOver) {
      if (failure && !hasBegun) throw failure;
      // It was read to its end behind the scenes, and may be on the screen again.
      if (end === "closed" && turn.threadId === stage.state.threadId) await this.#refresh();
      return { end, thread: null };
    }

    const isLost = failure instanceof TurnLost;
    const thread = isLost || end === "stopped" ? await this.#readAfter(isLost) : null;
    if (visit.isOver) return { end, thread };
    let refusal = isLost || hasBegun ? null : failure;
    if (visit.transcript.entries.some(({ id }) => id === PENDING_ID)) {
      refusal =
        isLost || !failure ? new NetworkError("The server did not confirm the message.", { cause: failure }) : failure;
    } else {
      details.onStored?.();
      if (isLost) {
        if (isAnswerMissing(visit.transcript) && !thread?.active_run) visit.tell(failure, { code: "broken_off" });
      } else if (failure && hasBegun) {
        visit.tell(failure, { again: this.#refresh });
      } else if (end === "failed" && !hasFailed) {
        visit.tell(new StreamError("stream.error"));
      }
    }
    visit.dispatch({ type: "local.turn_ended", stopped: end === "stopped" || end === "cancelled" });
    // Last, because the page may send the next message when it hears of this.
    this.#endResponse();
    if (refusal) throw refusal;
    if (type === "threads.create" && !thread) void this.#awaitTitle();
    return { end, thread };
  }

  #begin(turn: Turn, retryFrom: string | undefined): void {
    if (this.#visit.isOver) {
      turn.leave();
      return;
    }
    this.#turn = turn;
    this.#isResponding = true;
    this.#visit.dispatch({ type: "local.turn_started", ...(retryFrom !== undefined && { retryFrom }) });
    this.#visit.stage.emit("responseStart");
  }

  #endResponse(): void {
    if (!this.#isResponding) return;
    this.#isResponding = false;
    this.#visit.stage.emit("responseEnd");
  }

  #connect(isConnected: boolean): void {
    if (!this.#visit.isOver) this.#visit.stage.connect(isConnected);
  }

  #receive(event: StreamEvent, frameId: string): void {
    const { stage, isOver } = this.#visit;
    const thread = "thread" in event ? readThread(event.thread) : null;
    if (thread) stage.seeThread(thread);
    if (isOver) return;
    if (!stage.dispatch(event, frameId)) {
      stage.emit("log", "protocol.skipped", { type: event.type.slice(0, 64) });
    } else if (event.type === "client_effect") {
      stage.emit("effect", event.name, event.data ?? {});
    } else if (event.type === "error") {
      this.#visit.report(new StreamError(event.code ?? "stream.error", event.message));
    }
  }

  /** Reads the thread after a turn without an end: patiently when it was lost. Null when that cannot be done now. */
  async #readAfter(isLost: boolean): Promise<Thread | null> {
    const visit = this.#visit;
    const { pause } = visit.means;
    if (visit.stage.state.threadId === null) return null;
    for (let tries = 1; ; tries += 1) {
      try {
        if (!isLost) await pause(STORED_AFTER_MS, visit.signal);
        return await visit.read();
      } catch (error) {
        if (visit.isOver || !isLost || !(error instanceof NetworkError) || tries === MAX_READS) return null;
        this.#connect(false);
        await pause(backoff(tries), visit.signal).catch(() => {});
      }
    }
  }

  /** Servers name a new thread when its first answer is there, some a moment later. */
  async #awaitTitle(): Promise<void> {
    const visit = this.#visit;
    const { signal, transport } = visit;
    for (const ms of TITLED_AFTER_MS) {
      await visit.means.pause(ms, signal).catch(() => {});
      const { thread } = visit.transcript;
      if (visit.isOver || !thread || thread.title) return;
      const read = await transport.call("threads.get_by_id", { thread_id: thread.id }, { signal }).catch(() => null);
      // Its items are the oldest and may be older than those on the screen.
      if (read?.title) this.#receive({ type: "thread.updated", thread: { ...read, items: { data: [] } } }, "");
    }
  }

  // --- client tools --------------------------------------------------------------------------------------------------

  async #answerCall(): Promise<void> {
    const visit = this.#visit;
    const call = pendingToolCall(visit.transcript);
    if (!call) return;
    let goOn = async () => {};
    await visit.means.exclusively(`chatkit-tool-${call.id}`, async (waited) => {
      if (visit.isOver) return;
      if (waited) {
        const thread = await this.#readAfter(true);
        if (thread?.active_run) goOn = () => this.join(thread);
      }
      if (visit.transcript.running || pendingToolCall(visit.transcript)?.id !== call.id) return;
      const answer = await this.#runTool(call);
      if (!answer) return;
      // Others may look again as soon as the server has the result.
      await new Promise<void>((onBegun) => {
        const turn = this.#giveOutput(call, answer.result, onBegun).finally(onBegun);
        goOn = () => turn;
      });
    });
    await goOn();
  }

  /** What the page answers; null when the reader stopped waiting for it. */
  async #runTool(call: ClientToolCallItem): Promise<{ result: unknown } | null> {
    const visit = this.#visit;
    const stopped = new Promise<null>((resolve) => {
      this.#abandonTool = () => resolve(null);
    });
    visit.dispatch({ type: "local.turn_started" });
    const work = runClientTool(visit.means.onClientTool(), call, (error) => visit.report(error));
    const answer = await Promise.race([work.then((result) => ({ result })), stopped]);
    this.#abandonTool = null;
    visit.dispatch({ type: "local.turn_ended" });
    return answer;
  }

  async #giveOutput(call: ClientToolCallItem, result: unknown, onBegun: () => void): Promise<void> {
    const visit = this.#visit;
    const thread_id = call.thread_id ?? visit.stage.state.threadId!;
    const details = {
      key: newKey(),
      onBegun: () => {
        // No server says so.
        visit.dispatch({ type: "thread.item.replaced", item: { ...call, status: "completed", output: result } });
        onBegun();
      },
    };
    const run = async (): Promise<void> => {
      try {
        await this.follow("threads.add_client_tool_output", { thread_id, result }, details);
      } catch (error) {
        const isRefused = error instanceof ApiError && [400, 404, 409].includes(error.status);
        if (isRefused) await this.#refresh();
        // Answered in another window.
        if (isRefused && pendingToolCall(visit.transcript)?.id !== call.id) return;
        visit.tell(error, { again: run });
      }
    };
    await run();
  }
}

/** Whether the thread ends with what nobody has answered, or with an answer that was not finished. */
function isAnswerMissing({ entries, open }: Transcript): boolean {
  return entries.findLast(isStored)?.type === "user_message" || entries.some(({ id }) => open.has(id));
}

export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409;
}
