// The page: which conversation is open, what the reader asked for, and what the server said.
import { ApiError, ConversationClient, RunGone, backoff, newKey, pause } from "./client.js";
import { emptyTranscript, lastUserMessage, pendingToolCall, reduce, reduceLive } from "./transcript.js";
import { View } from "./view.js";

const PAGE = 100; // items asked for at a time

/** What a workflow may ask of this page. */
const CLIENT_TOOLS = {
  get_browser_time: () => ({
    iso: new Date().toISOString(),
    time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    locale: navigator.language,
  }),
};

const client = new ConversationClient();
let state = { ...emptyTranscript, loading: true };
let threads = [];
let nextThreads = null; // cursor of the page of conversations that was not asked for yet
let listed = false;
let openId = null; // the conversation on the screen, also while it loads
let visit = new AbortController(); // lives as long as one conversation stays open
let unsent = null; // {text, threadId, key} of a message that may or may not have arrived

const view = new View({
  send,
  stop,
  retry,
  rate,
  answer,
  widget: widgetAction,
  create: () => go(null),
  open: go,
  rename,
  remove,
  more: () => listThreads(nextThreads),
  pick,
});

function dispatch(event, reducer = reduce, id = "") {
  state = { ...reducer(state, event, id), loading: state.loading };
  view.show(state);
}

/** Runs something the reader asked for; a failure becomes a line on the page and `undefined`. */
async function attempt(what, work) {
  view.say("");
  try {
    return (await work()) ?? true;
  } catch (error) {
    if (error?.name !== "AbortError") view.say(`${what}: ${reasonOf(error)}`);
    return undefined;
  }
}

function reasonOf(error) {
  return error instanceof ApiError ? error.message : "the server cannot be reached.";
}

// --- turns -----------------------------------------------------------------------------------------------------------

async function send(text) {
  const threadId = state.thread?.id ?? null;
  // The same words sent again after a failure are the same message: under the same key it cannot be stored twice.
  const key = unsent?.text === text && unsent.threadId === threadId ? unsent.key : newKey();
  const input = { content: [{ type: "input_text", text }], attachments: [], quoted_text: "", inference_options: {} };
  const at = visit;
  unsent = null;
  dispatch({ type: "page.message_sent", text });
  const failed = await (threadId
    ? turn("threads.add_user_message", { thread_id: threadId, input }, { key })
    : turn("threads.create", { input }, { key }));
  if (!failed) return;
  if (at.signal.aborted) return view.say(`Not sent: ${reasonOf(failed)} “${text}”`);
  if (state.items.some((item) => item.pending)) {
    unsent = { text, threadId, key };
    dispatch({ type: "page.message_refused" });
    view.restoreDraft(text);
  }
  const message = `Not sent: ${reasonOf(failed)}`;
  if (failed.status === 409 && threadId) await load(threadId, message); // locked meanwhile, or answered in another window
  else note(message);
}

/**
 * One streaming operation from request to end, then whatever it waits for from this page. Resolves to the error that
 * kept it from happening, or to null.
 */
async function turn(type, params, { key, retryFrom } = {}) {
  const { signal } = visit;
  const onEvent = (event, id) => {
    if (event.thread) rememberThread(event.thread, signal.aborted);
    if (signal.aborted) return;
    dispatch(event, reduceLive, id);
  };
  const onConnection = (connected) => {
    if (signal.aborted) return;
    document.body.toggleAttribute("data-reconnecting", !connected);
    view.say(connected ? "" : "Connection lost. Reconnecting…");
  };
  dispatch({ type: "page.turn_started", resumed: type === "threads.resume", retryFrom });
  let outcome = null;
  let failure = null;
  try {
    outcome = await client.run(type, params, { signal, key, onEvent, onConnection });
  } catch (error) {
    failure = error;
  }
  if (signal.aborted) return failure instanceof RunGone || failure?.name === "AbortError" ? null : failure;
  onConnection(true);
  dispatch({ type: "page.turn_ended", outcome });
  const threadId = state.thread?.id;
  if (failure instanceof RunGone) {
    await load(threadId);
    return null;
  }
  if (failure) return failure;
  if (threadId && !state.thread.title) listThreads();
  await answerToolCall(signal);
  return null;
}

/** A turn whose only failure notice is a note in the conversation. */
async function plainTurn(type, params, options) {
  const { signal } = visit;
  const failure = await turn(type, params, options);
  if (failure && !signal.aborted) note(reasonOf(failure), type === "threads.retry_after_item");
}

function note(message, canRetry = false) {
  dispatch({ type: "page.note", note: { kind: "error", message, retry: canRetry } });
}

async function answerToolCall(signal) {
  const call = pendingToolCall(state);
  if (!call || signal.aborted) return;
  const tool = Object.hasOwn(CLIENT_TOOLS, call.name) ? CLIENT_TOOLS[call.name] : null;
  let result;
  try {
    result = tool ? await tool(call.arguments ?? {}) : { error: `This page has no tool named “${call.name}”.` };
  } catch (error) {
    result = { error: String(error?.message ?? error) };
  }
  dispatch({ type: "thread.item.replaced", item: { ...call, status: "completed", output: result } });
  await plainTurn("threads.add_client_tool_output", { thread_id: call.thread_id ?? state.thread.id, result });
}

async function stop() {
  view.focusComposer();
  await attempt("Could not stop", () => client.call("threads.cancel", { thread_id: state.thread.id }));
}

async function retry() {
  const message = lastUserMessage(state);
  if (!message) return;
  view.focusComposer();
  view.followEnd();
  await plainTurn("threads.retry_after_item", { thread_id: state.thread.id, item_id: message.id }, { retryFrom: message.id });
}

// --- items -----------------------------------------------------------------------------------------------------------

async function rate(itemId, kind) {
  return attempt("Could not send your rating", () =>
    client.call("items.feedback", { thread_id: state.thread.id, item_ids: [itemId], kind }),
  );
}

/** Answers a structured input; `answers` null skips it. */
async function answer(itemId, answers) {
  const input = answers ? { status: "answered", answers } : { status: "skipped", answers: {} };
  view.focusComposer();
  await plainTurn("threads.add_structured_input", { thread_id: state.thread.id, item_id: itemId, input });
}

async function widgetAction(itemId, { type, payload, streaming }) {
  const params = { thread_id: state.thread.id, item_id: itemId, action: { type, payload } };
  if (streaming !== false) return plainTurn("threads.custom_action", params);
  const { signal } = visit;
  const reply = await attempt("The action failed", () => client.call("threads.sync_custom_action", params, { signal }));
  if (reply?.updated_item && !signal.aborted) dispatch({ type: "thread.item.replaced", item: reply.updated_item });
}

// --- conversations ---------------------------------------------------------------------------------------------------

/** Leaves the open conversation, whose run goes on, for another one or for a new one. */
async function go(threadId) {
  visit.abort();
  visit = new AbortController();
  const address = new URL(location.href);
  address.hash = threadId ?? "";
  if (address.href !== location.href) history.pushState(null, "", address);
  view.followEnd();
  view.say("");
  document.body.removeAttribute("data-reconnecting");
  openId = threadId;
  state = { ...emptyTranscript, loading: threadId !== null };
  view.show(state);
  showThreads();
  if (threadId) await load(threadId);
  else view.focusComposer();
}

/** Shows what is stored of a thread, with a remark if there is one to make, and follows its run if it has one. */
async function load(threadId, remark = null) {
  const { signal } = visit;
  try {
    const thread = await client.call("threads.get_by_id", { thread_id: threadId }, { signal });
    const items = [...(thread.items?.data ?? [])];
    for (let page = thread.items; page?.has_more; ) {
      const after = page.after ?? page.data?.at(-1)?.id;
      if (!after) break;
      page = await client.call("items.list", { thread_id: threadId, order: "asc", limit: PAGE, after }, { signal });
      items.push(...page.data);
      if (!page.data.length) break;
    }
    if (signal.aborted) return;
    state = { ...state, loading: false };
    dispatch({ type: "page.thread_loaded", thread, items });
    rememberThread(thread);
    if (remark) note(remark);
    view.focusComposer();
    if (thread.active_run) await plainTurn("threads.resume", { thread_id: threadId });
    else await answerToolCall(signal);
  } catch (error) {
    if (signal.aborted) return;
    if (error.status === 404) {
      threads = threads.filter((thread) => thread.id !== threadId);
      await go(null);
      return view.say("This conversation no longer exists.");
    }
    state = { ...state, loading: false };
    note(`Could not open the conversation: ${reasonOf(error)}`);
  }
}

/** Keeps the sidebar in step with a thread seen in a stream; `elsewhere` when it is not the one that is open. */
function rememberThread({ items: _, active_run: __, ...thread }, elsewhere = false) {
  const known = threads.some(({ id }) => id === thread.id);
  threads = known ? threads.map((other) => (other.id === thread.id ? { ...other, ...thread } : other)) : [thread, ...threads];
  if (!elsewhere) {
    openId = thread.id;
    if (location.hash !== `#${thread.id}`) history.replaceState(null, "", `#${thread.id}`);
  }
  showThreads();
}

function showThreads() {
  view.showThreads(threads, openId, nextThreads !== null);
}

async function listThreads(after) {
  const params = { limit: 20, order: "desc", ...(after ? { after } : {}) };
  const page = await attempt("Could not load the conversations", () => client.call("threads.list", params));
  if (!page) return;
  const fresh = new Set(page.data.map((thread) => thread.id));
  const others = threads.filter((thread) => !fresh.has(thread.id));
  // A refresh of the first page leaves the pages that were loaded after it where they are.
  if (after || !listed) nextThreads = page.has_more ? (page.after ?? page.data.at(-1)?.id ?? null) : null;
  listed = true;
  threads = after ? [...others, ...page.data] : [...page.data, ...others];
  showThreads();
  const here = page.data.find((thread) => thread.id === state.thread?.id);
  if (here) dispatch({ type: "thread.updated", thread: here });
}

async function rename(threadId, title) {
  const done = await attempt("Could not rename", () => client.call("threads.update", { thread_id: threadId, title }));
  if (!done) return;
  threads = threads.map((thread) => (thread.id === threadId ? { ...thread, title } : thread));
  if (state.thread?.id === threadId) dispatch({ type: "thread.updated", thread: { id: threadId, title } });
  showThreads();
}

async function remove(threadId) {
  const done = await attempt("Could not delete", () => client.call("threads.delete", { thread_id: threadId }));
  if (!done) return;
  threads = threads.filter((thread) => thread.id !== threadId);
  if (openId === threadId) await go(null);
  else showThreads();
}

// --- start -----------------------------------------------------------------------------------------------------------

/** Another workflow answers from here on, in a new conversation; the address keeps the choice for a reload. */
async function pick(workflow) {
  const session = await attempt("Could not change the workflow", () => client.open(workflow));
  if (!session) return;
  const address = new URL(location.href);
  address.searchParams.set("workflow", workflow);
  address.hash = "";
  history.pushState(null, "", address);
  await go(null);
}

async function openSession() {
  let wanted = new URLSearchParams(location.search).get("workflow");
  for (let tries = 1; ; tries += 1) {
    try {
      return await client.open(wanted);
    } catch (error) {
      if (wanted && error instanceof ApiError && error.status < 500) {
        wanted = null; // an old address; the default workflow will do
        continue;
      }
      view.say(`Not connected: ${reasonOf(error)} Trying again…`);
      await pause(backoff(tries));
    }
  }
}

async function start() {
  view.show(state);
  const session = await openSession();
  view.showWorkflows(session.workflows ?? [session.workflow], session.workflow);
  view.say("");
  await Promise.all([listThreads(), go(location.hash.slice(1) || null)]);
}

addEventListener("popstate", () => {
  const threadId = location.hash.slice(1) || null;
  if (threadId !== openId) go(threadId);
});
start();
