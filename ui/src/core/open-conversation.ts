/** The conversation at work. */

import {
  type ClientTool,
  type Conversation,
  type ConversationListener,
  type ConversationState,
  IntegrationError,
  type Outgoing,
} from "./conversation.ts";
import { type Exclusively, exclusively } from "./exclusive.ts";
import { readItem } from "./item.ts";
import { newKey } from "./key.ts";
import { type Pause, pause } from "./pause.ts";
import { Stage } from "./stage.ts";
import { lastUserMessage } from "./transcript.ts";
import { ApiError, type Transport } from "./transport.ts";
import { isConflict, Turns } from "./turns.ts";
import { type Means, Visit } from "./visit.ts";
import type { Action, StructuredInputSubmission, Thread, UserMessageInput, UserMessageItem } from "./wire.ts";

export interface ConversationOptions {
  /** Read at every request, so that another may take its place. */
  transport(): Transport;
  /** Read when a call comes. */
  onClientTool(): ClientTool | undefined;
  pause?: Pause;
  exclusively?: Exclusively;
  /** `navigator.onLine` where there is one. */
  isOnline?(): boolean;
}

/** A new conversation; once it is closed it is not used again. */
export function createConversation(options: ConversationOptions): Conversation {
  return new OpenConversation(options);
}

class OpenConversation implements Conversation {
  readonly #means: Means;
  readonly #stage: Stage;
  #visit: Visit;
  #turns: Turns;
  /** A message that may or may not have arrived. */
  #unsent: { message: string; key: string } | null = null;

  constructor({ isOnline = () => globalThis.navigator?.onLine !== false, ...options }: ConversationOptions) {
    this.#means = { pause, exclusively, chatdocks: new WeakSet(), ...options };
    this.#stage = new Stage(isOnline);
    this.#visit = new Visit(this.#stage, this.#means);
    this.#turns = new Turns(this.#visit, () => this.refresh());
  }

  get state(): ConversationState {
    return this.#stage.state;
  }

  get busy(): boolean {
    return this.state.running || this.state.loading;
  }

  subscribe(listener: Partial<ConversationListener>): () => void {
    return this.#stage.subscribe(listener);
  }

  // --- threads -------------------------------------------------------------------------------------------------------

  async open(threadId: string | null): Promise<void> {
    if (threadId !== null && threadId === this.state.threadId) return this.refresh();
    const visit = this.#enter(threadId);
    // Who heard of the change may have opened another one.
    if (threadId !== null && !visit.isOver) await this.#load(threadId);
  }

  loadOlder(): Promise<void> {
    return this.#visit.readOlder();
  }

  async refresh(): Promise<void> {
    if (this.state.threadId === null) return;
    const turns = this.#turns;
    const thread = await this.#read(this.#visit);
    if (thread) void turns.join(thread);
  }

  close(): void {
    this.#leave();
    this.#stage.close();
  }

  #enter(threadId: string | null): Visit {
    this.#leave();
    const visit = new Visit(this.#stage, this.#means);
    this.#visit = visit;
    this.#turns = new Turns(visit, () => this.refresh());
    this.#stage.clear(threadId);
    return visit;
  }

  #leave(): void {
    this.#visit.end();
    this.#turns.leave();
  }

  async #load(threadId: string): Promise<void> {
    const visit = this.#visit;
    const turns = this.#turns;
    this.#stage.emit("loadStart", threadId);
    const thread = await this.#read(visit);
    if (!visit.isOver) this.#stage.set({ loading: false });
    this.#stage.emit("loadEnd", threadId);
    if (thread) void turns.join(thread, true);
  }

  /** Null when the thread could not be read; if nothing of it is there yet, an entry says so. */
  #read(visit: Visit): Promise<Thread | null> {
    return visit.reading(() => visit.read().catch((error) => this.#unread(visit, error)));
  }

  #unread(visit: Visit, error: unknown): null {
    const { threadId, loading } = this.state;
    if (visit.isOver) return null;
    if (error instanceof ApiError && error.status === 404) {
      const next = this.#enter(null);
      next.dispatch({ type: "local.failed", code: "not_found", retry: false });
      next.report(error);
    } else if (loading && threadId !== null) {
      const again = () => {
        this.#enter(threadId);
        return this.#load(threadId);
      };
      visit.tell(error, { again });
    } else {
      visit.report(error);
    }
    return null;
  }

  // --- what the reader does ------------------------------------------------------------------------------------------

  async send(message: Outgoing, { newThread = false } = {}): Promise<void> {
    this.#refuseWhenBusy();
    if (newThread) this.#enter(null);
    const visit = this.#visit;
    const turns = this.#turns;
    const { threadId } = this.state;
    const input = inputOf(message);
    // The same words sent again after a failure are the same message: under the same key it is stored once.
    const words = JSON.stringify([threadId, input]);
    const key = this.#unsent?.message === words ? this.#unsent.key : newKey();
    this.#unsent = null;
    visit.dispatch({ type: "local.message_sent", message: shownOf(message) });
    try {
      await new Promise<void>((onStored, onRefused) => {
        const turn = threadId
          ? turns.follow("threads.add_user_message", { thread_id: threadId, input }, { key, onStored })
          : turns.follow("threads.create", { input }, { key, onStored });
        turn.then(onStored, onRefused);
      });
    } catch (error) {
      this.#unsent = { message: words, key };
      visit.dispatch({ type: "local.message_refused" });
      visit.report(error);
      // Locked meanwhile, or answered in another window.
      if (isConflict(error) && !visit.isOver) await this.refresh();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.#turns.stop().catch((error) => this.#visit.report(error));
  }

  async retry(itemId?: string): Promise<void> {
    this.#refuseWhenBusy();
    const again = itemId === undefined ? this.#visit.takeAgain() : null;
    if (again) return again();
    const id = itemId ?? lastUserMessage(this.state)?.id;
    if (id === undefined) throw new IntegrationError("There is no message to answer again.");
    await this.#turns.run("threads.retry_after_item", { thread_id: this.#needThread(), item_id: id }, id);
  }

  async rate(itemIds: readonly string[], kind: "positive" | "negative"): Promise<void> {
    const thread_id = this.#needThread();
    const before = this.state.feedback;
    this.#stage.set({ feedback: new Map([...before, ...itemIds.map((id) => [id, kind] as const)]) });
    try {
      await this.#means.transport().call("items.feedback", { thread_id, item_ids: [...itemIds], kind });
    } catch (error) {
      const feedback = new Map(this.state.feedback);
      for (const id of itemIds) {
        const verdict = before.get(id);
        if (verdict) feedback.set(id, verdict);
        else feedback.delete(id);
      }
      this.#stage.set({ feedback });
      this.#visit.report(error);
    }
  }

  async answerInput(itemId: string, input: StructuredInputSubmission): Promise<void> {
    this.#refuseWhenBusy();
    await this.#turns.run("threads.add_structured_input", { thread_id: this.#needThread(), item_id: itemId, input });
  }

  async act(
    action: Action,
    { itemId, streaming = true }: { itemId?: string; streaming?: boolean } = {},
  ): Promise<void> {
    const params = { thread_id: this.#needThread(), ...(itemId !== undefined && { item_id: itemId }), action };
    if (streaming) {
      this.#refuseWhenBusy();
      await this.#turns.run("threads.custom_action", params);
      return;
    }
    const visit = this.#visit;
    const run = async (): Promise<void> => {
      try {
        const { updated_item } = await visit.transport.call("threads.sync_custom_action", params);
        const item = readItem(updated_item);
        if (item) visit.dispatch({ type: "thread.item.replaced", item });
      } catch (error) {
        visit.tell(error, { again: run });
      }
    };
    await run();
  }

  dismiss(entryId: string): void {
    this.#visit.dispatch({ type: "local.dismissed", id: entryId });
  }

  #needThread(): string {
    const { threadId } = this.state;
    if (threadId === null) throw new IntegrationError("There is no thread yet; send a message first.");
    return threadId;
  }

  #refuseWhenBusy(): void {
    if (this.state.loading) throw new IntegrationError("The thread is being loaded.");
    if (this.state.running) throw new IntegrationError("A response is being streamed.");
  }
}

function inputOf({ content, attachments, quotedText, inferenceOptions }: Outgoing): UserMessageInput {
  return {
    // Servers want a tag's data, pages may leave it out.
    content: content.map((part) => (part.type === "input_tag" ? { ...part, data: part.data ?? {} } : part)),
    attachments: (attachments ?? []).map(({ id }) => id),
    quoted_text: quotedText ?? "",
    inference_options: inferenceOptions ?? {},
  };
}

function shownOf({
  content,
  attachments,
  quotedText,
  inferenceOptions,
}: Outgoing): Omit<UserMessageItem, "id" | "type"> {
  return {
    content: [...content],
    ...(attachments && { attachments: [...attachments] }),
    ...(quotedText && { quoted_text: quotedText }),
    ...(inferenceOptions && { inference_options: inferenceOptions }),
  };
}
