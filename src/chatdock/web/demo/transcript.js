// What a thread looks like after an event. Pure: the same events give the same state, in a browser or in a test.
//
// Events of the protocol and a few of the page's own (`page.*`) go through one function. An item is a new object
// whenever it changed, so that a view can compare by identity. What it does not know it leaves alone.

const UNSEEN = new Set(["end_of_turn", "hidden_context_item", "sdk_hidden_context"]);

/** Items are the server's, in order, with notes of the page (`type: "note"`) and a message on its way between them. */
export const emptyTranscript = Object.freeze({
  thread: null, // {id, title, status, …}
  items: Object.freeze([]),
  open: Object.freeze([]), // ids of items that are still being written
  progress: null, // {text, icon?}
  running: false,
  allowCancel: true,
  retryFrom: null, // the user message whose turn is being repeated, until its first event
});

let notes = 0;

/** @param id the SSE id of the frame, so that a note that is replayed shows once */
export function reduce(state, event, id = "") {
  switch (event.type) {
    case "thread.created":
    case "thread.updated":
      return event.thread ? putAll(withThread(state, event.thread), event.thread.items?.data ?? []) : state;
    case "thread.item.added":
      return begin(put(state, event.item), event.item);
    case "thread.item.done":
      return settle(put(state, event.item), event.item?.id);
    case "thread.item.replaced":
      return put(state, event.item);
    case "thread.item.removed":
      return settle({ ...state, items: state.items.filter((item) => item.id !== event.item_id) }, event.item_id);
    case "thread.item.updated":
      return change(state, event.item_id, (item) => updateItem(item, event.update ?? {}));
    case "stream_options":
      return { ...state, allowCancel: event.stream_options?.allow_cancel !== false };
    case "progress_update":
      return { ...state, progress: event.text ? { text: event.text, icon: event.icon } : null };
    case "notice":
      return addNote(state, { kind: "notice", level: event.level, title: event.title, message: event.message }, id);
    case "client_effect":
      return addNote(state, { kind: "effect", name: event.name, data: event.data ?? {} }, id);
    case "error":
      return addNote(state, { kind: "error", message: event.message, retry: event.allow_retry === true }, id);

    case "page.thread_loaded":
      return putAll(withThread(emptyTranscript, event.thread), event.items);
    case "page.note":
      return addNote(state, event.note, "");
    case "page.message_sent":
      return put(state, { id: "pending", type: "user_message", pending: true, content: [{ type: "input_text", text: event.text }] });
    case "page.message_refused":
      return { ...state, items: state.items.filter((item) => !item.pending) };
    case "page.turn_started":
      return {
        ...state,
        items: event.resumed ? state.items : state.items.filter((item) => item.kind !== "error"),
        running: true,
        allowCancel: true,
        progress: null,
        retryFrom: event.retryFrom ?? null,
      };
    case "page.turn_ended":
      return endTurn(state, event.outcome);
    default:
      return state;
  }
}

/** Like `reduce`, for an event of a running turn: the first one of a repeated turn clears what it replaces. */
export function reduceLive(state, event, id) {
  if (state.retryFrom === null) return reduce(state, event, id);
  const from = state.items.findIndex((item) => item.id === state.retryFrom);
  const items = from < 0 ? state.items : state.items.slice(0, from + 1);
  return reduce({ ...state, items, open: [], retryFrom: null }, event, id);
}

/** The client tool call that waits for this page, if the thread's newest items hold one. */
export function pendingToolCall(state) {
  for (const item of [...state.items].reverse()) {
    if (item.type === "client_tool_call" && item.status === "pending") return item;
    if (item.type === "user_message" || item.type === "assistant_message") return null;
  }
  return null;
}

export function lastUserMessage(state) {
  return state.items.filter((item) => item.type === "user_message" && !item.pending).at(-1) ?? null;
}

function withThread(state, thread) {
  const { items: _, active_run: __, ...metadata } = thread;
  return { ...state, thread: { ...state.thread, ...metadata } };
}

function putAll(state, items) {
  return items.reduce(put, state);
}

/** Inserts or, by id, replaces. The server's user message takes the place of the one that was on its way. */
function put(state, item) {
  if (!item?.id || UNSEEN.has(item.type)) return state;
  let at = state.items.findIndex((known) => known.id === item.id);
  if (at < 0 && item.type === "user_message") at = state.items.findIndex((known) => known.pending);
  if (at < 0) return { ...state, items: [...state.items, item] };
  return { ...state, items: state.items.map((known, index) => (index === at ? item : known)) };
}

function begin(state, item) {
  if (!state.items.includes(item)) return state;
  const open = state.open.includes(item.id) ? state.open : [...state.open, item.id];
  return { ...state, open, progress: item.type === "assistant_message" ? null : state.progress };
}

function settle(state, id) {
  return { ...state, open: state.open.filter((other) => other !== id) };
}

function change(state, id, update) {
  const items = state.items.map((item) => (item.id === id ? update(item) : item));
  return { ...state, items };
}

function addNote(state, note, id) {
  const item = { ...note, type: "note", id: id ? `note:${id}` : `note:${(notes += 1)}` };
  return put(note.kind === "error" ? { ...state, progress: null } : state, item);
}

function endTurn(state, outcome) {
  const ended = { ...state, running: false, open: [], progress: null, retryFrom: null };
  const told = ended.items.some((item) => item.kind === "error");
  if (outcome === "failed" && !told) return addNote(ended, { kind: "error", message: "The answer broke off.", retry: true }, "");
  if (outcome === "cancelled") return addNote(ended, { kind: "notice", level: "info", message: "Stopped." }, "");
  return ended;
}

function updateItem(item, update) {
  const at = update.content_index;
  switch (update.type) {
    case "assistant_message.content_part.added":
    case "assistant_message.content_part.done":
      return withPart(item, at, (part) => update.content ?? part);
    case "assistant_message.content_part.text_delta":
      return withPart(item, at, (part) => ({ ...part, text: (part.text ?? "") + (update.delta ?? "") }));
    case "assistant_message.content_part.annotation_added":
      return withPart(item, at, (part) => ({ ...part, annotations: set(part.annotations, update.annotation_index, update.annotation) }));
    case "workflow.task.added":
    case "workflow.task.updated":
      if (!item.workflow) return item;
      return { ...item, workflow: { ...item.workflow, tasks: set(item.workflow.tasks, update.task_index, update.task) } };
    case "widget.root.updated":
      return { ...item, widget: update.widget };
    case "widget.component.updated":
      return { ...item, widget: withComponent(item.widget, update.component_id, () => update.component) };
    case "widget.streaming_text.value_delta":
      return {
        ...item,
        widget: withComponent(item.widget, update.component_id, (text) => ({ ...text, value: (text.value ?? "") + (update.delta ?? "") })),
      };
    case "generated_image.updated":
      return { ...item, image: update.image, progress: update.progress };
    default:
      return item;
  }
}

function withPart(item, index, update) {
  if (item.type !== "assistant_message" || !Number.isInteger(index)) return item;
  const part = { type: "output_text", text: "", annotations: [], ...item.content?.[index] };
  return { ...item, content: set(item.content, index, update(part)) };
}

/** A copy with one element set; a gap before it is filled with nothing rather than left as a hole. */
function set(list, index, value) {
  const copy = [...(list ?? [])];
  if (!Number.isInteger(index) || index < 0 || index > copy.length + 1000) return copy;
  while (copy.length < index) copy.push(null);
  copy[index] = value;
  return copy;
}

function withComponent(node, id, update) {
  if (Array.isArray(node)) return node.map((child) => withComponent(child, id, update));
  if (!node || typeof node !== "object") return node;
  if (node.id === id && id !== undefined) return update(node);
  return node.children ? { ...node, children: withComponent(node.children, id, update) } : node;
}
