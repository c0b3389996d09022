/**
 * The chat protocol as it travels: what `openai-chatkit` (Python) defines in `chatkit.types`, and Chatdock's additions.
 *
 * Servers leave `null` members out, so nearly everything is optional here, and nothing that arrives is trusted to have
 * its type: the reducer looks before it uses a member. Times are ISO 8601, with or without a zone.
 */

export interface Page<T> {
  data: T[];
  has_more?: boolean;
  /** What to send as `after` to go on; older servers leave it out, then it is the last element's id. */
  after?: string | null;
}

export type ThreadStatus =
  | { type: "active" }
  | { type: "locked"; reason?: string | null }
  | { type: "closed"; reason?: string | null };

export interface ThreadMetadata {
  id: string;
  created_at?: string;
  title?: string | null;
  status?: ThreadStatus;
  allowed_image_domains?: string[] | null;
}

export interface Thread extends ThreadMetadata {
  items?: Page<ThreadItem>;
  /** Chatdock: the run that is answering now, and the sequence number of its newest frame. */
  active_run?: { id: string; sequence: number };
}

// --- items -----------------------------------------------------------------------------------------------------------

interface ItemBase {
  id: string;
  thread_id?: string;
  created_at?: string;
}

export type UserMessageContent =
  | { type: "input_text"; text: string }
  | {
      type: "input_tag";
      id: string;
      text: string;
      data?: Record<string, unknown>;
      group?: string | null;
      interactive?: boolean;
    };

export interface Attachment {
  type: "file" | "image";
  id: string;
  name: string;
  mime_type: string;
  /** Images only. */
  preview_url?: string;
  upload_descriptor?: { url: string; method?: "POST" | "PUT"; headers?: Record<string, string> } | null;
  /** What servers before `upload_descriptor` sent in its place. */
  upload_url?: string | null;
}

export interface InferenceOptions {
  tool_choice?: { id: string } | null;
  model?: string | null;
}

export interface UserMessageInput {
  content: UserMessageContent[];
  attachments: string[];
  quoted_text: string;
  inference_options: InferenceOptions;
}

export interface UserMessageItem extends ItemBase {
  type: "user_message";
  content: UserMessageContent[];
  attachments?: Attachment[];
  quoted_text?: string | null;
  inference_options?: InferenceOptions;
}

export interface UrlSource {
  type: "url";
  url: string;
  title: string;
  description?: string | null;
  timestamp?: string | null;
  group?: string | null;
  attribution?: string | null;
}

export interface FileSource {
  type: "file";
  filename: string;
  title: string;
  description?: string | null;
  timestamp?: string | null;
  group?: string | null;
}

export interface EntitySource {
  type: "entity";
  id: string;
  title: string;
  icon?: string | null;
  label?: string | null;
  inline_label?: string | null;
  interactive?: boolean;
  data?: Record<string, unknown>;
  description?: string | null;
  timestamp?: string | null;
  group?: string | null;
}

export type Source = UrlSource | FileSource | EntitySource;

export interface Annotation {
  type: "annotation";
  source: Source;
  /** Where in the text it belongs, in characters (Unicode code points, as Python counts). */
  index?: number | null;
}

export interface AssistantMessageContent {
  type: "output_text";
  text: string;
  annotations?: Annotation[];
}

export interface AssistantMessageItem extends ItemBase {
  type: "assistant_message";
  content: AssistantMessageContent[];
}

export interface ClientToolCallItem extends ItemBase {
  type: "client_tool_call";
  status: "pending" | "completed";
  call_id?: string;
  name: string;
  arguments: Record<string, unknown>;
  output?: unknown;
}

/** A node of a widget tree: a `type` of the widget vocabulary and its properties, as they came. */
export interface WidgetNode {
  type: string;
  id?: string;
  key?: string;
  children?: WidgetNode[] | WidgetNode | null;
  [property: string]: unknown;
}

export interface WidgetItem extends ItemBase {
  type: "widget";
  widget: WidgetNode;
  copy_text?: string | null;
}

export interface GeneratedImage {
  id: string;
  url: string;
}

export interface GeneratedImageItem extends ItemBase {
  type: "generated_image";
  image?: GeneratedImage | null;
  /** 0 to 1 while it is being made; kept by the reducer, never on the stored item. */
  progress?: number | null;
}

export interface StructuredInputAnswer {
  values?: string[];
  skipped?: boolean;
}

export type StructuredInput = {
  id: string;
  question: string;
  answer?: StructuredInputAnswer | null;
} & (
  | { type: "multiple_choice"; options: { value: string }[]; multiple?: boolean }
  | { type: "freeform"; description?: string | null }
);

export interface StructuredInputItem extends ItemBase {
  type: "structured_input";
  status: "pending" | "answered" | "skipped";
  inputs: StructuredInput[];
}

export type TaskStatus = "none" | "loading" | "complete";

export type Task = { status_indicator?: TaskStatus } & (
  | { type: "custom"; title?: string | null; icon?: string | null; content?: string | null }
  | {
      type: "web_search";
      title?: string | null;
      title_query?: string | null;
      queries?: string[];
      sources?: UrlSource[];
    }
  | { type: "thought"; title?: string | null; content: string }
  | { type: "file"; title?: string | null; sources?: FileSource[] }
  | { type: "image"; title?: string | null }
);

export interface TaskItem extends ItemBase {
  type: "task";
  task: Task;
}

/** `duration` is in seconds. */
export type WorkflowSummary = { title: string; icon?: string | null } | { duration: number };

export interface Workflow {
  type: "custom" | "reasoning";
  tasks: Task[];
  summary?: WorkflowSummary | null;
  expanded?: boolean;
}

export interface WorkflowItem extends ItemBase {
  type: "workflow";
  workflow: Workflow;
}

/** Items that are never shown. */
export interface UnseenItem extends ItemBase {
  type: "end_of_turn" | "hidden_context_item" | "sdk_hidden_context";
}

export type ThreadItem =
  | UserMessageItem
  | AssistantMessageItem
  | ClientToolCallItem
  | WidgetItem
  | GeneratedImageItem
  | StructuredInputItem
  | TaskItem
  | WorkflowItem
  | UnseenItem;

// --- events ----------------------------------------------------------------------------------------------------------

export type ItemUpdate =
  | {
      type: "assistant_message.content_part.added" | "assistant_message.content_part.done";
      content_index: number;
      content: AssistantMessageContent;
    }
  | { type: "assistant_message.content_part.text_delta"; content_index: number; delta: string }
  | {
      type: "assistant_message.content_part.annotation_added";
      content_index: number;
      annotation_index: number;
      annotation: Annotation;
    }
  | { type: "widget.root.updated"; widget: WidgetNode }
  | { type: "widget.component.updated"; component_id: string; component: WidgetNode }
  | { type: "widget.streaming_text.value_delta"; component_id: string; delta: string; done: boolean }
  | { type: "workflow.task.added" | "workflow.task.updated"; task_index: number; task: Task }
  | { type: "generated_image.updated"; image: GeneratedImage; progress?: number | null };

export type NoticeLevel = "info" | "warning" | "danger";

export type StreamEvent =
  | { type: "thread.created" | "thread.updated"; thread: Thread }
  | { type: "thread.item.added" | "thread.item.done" | "thread.item.replaced"; item: ThreadItem }
  | { type: "thread.item.updated"; item_id: string; update: ItemUpdate }
  | { type: "thread.item.removed"; item_id: string }
  | { type: "stream_options"; stream_options: { allow_cancel: boolean } }
  | { type: "progress_update"; text: string; icon?: string | null }
  | { type: "client_effect"; name: string; data?: Record<string, unknown> }
  | { type: "notice"; level: NoticeLevel; message: string; title?: string | null }
  | { type: "error"; code?: string; message?: string | null; allow_retry?: boolean };

/** How a run ended. Chatdock says so in a comment; other servers only close the stream. */
export type Outcome = "completed" | "waiting" | "failed" | "cancelled";

// --- operations ------------------------------------------------------------------------------------------------------

export interface Action {
  type: string;
  payload?: unknown;
}

export interface StructuredInputSubmission {
  status: "answered" | "skipped";
  answers: Record<string, { values: string[]; skipped: boolean }>;
}

/** Operations that answer with a stream of events. */
export interface StreamingOperations {
  "threads.create": { input: UserMessageInput };
  "threads.add_user_message": { thread_id: string; input: UserMessageInput };
  "threads.add_client_tool_output": { thread_id: string; result: unknown };
  "threads.add_structured_input": { thread_id: string; item_id: string; input: StructuredInputSubmission };
  "threads.retry_after_item": { thread_id: string; item_id: string };
  "threads.custom_action": { thread_id: string; item_id?: string; action: Action };
  /** Chatdock: what was missed after this SSE id, then live; without it the turn so far as a snapshot, then live. */
  "threads.resume": { thread_id: string; starting_after?: string };
}

interface PageParams {
  limit?: number;
  order?: "asc" | "desc";
  after?: string;
}

/** Operations that answer with JSON: what they take and what they give. */
export interface JsonOperations {
  "threads.get_by_id": { params: { thread_id: string }; result: Thread };
  "threads.list": { params: PageParams; result: Page<Thread> };
  "threads.update": { params: { thread_id: string; title: string }; result: Thread };
  "threads.delete": { params: { thread_id: string }; result: object };
  /** Chatdock: end the live run, if there is one. */
  "threads.cancel": { params: { thread_id: string }; result: { run: { id: string; status: string } | null } };
  "threads.sync_custom_action": {
    params: { thread_id: string; item_id?: string; action: Action };
    result: { updated_item?: ThreadItem | null };
  };
  "items.list": { params: PageParams & { thread_id: string }; result: Page<ThreadItem> };
  "items.feedback": {
    params: { thread_id: string; item_ids: string[]; kind: "positive" | "negative" };
    result: object;
  };
  "attachments.create": { params: { name: string; size: number; mime_type: string }; result: Attachment };
  "attachments.delete": { params: { attachment_id: string }; result: object };
  "input.transcribe": { params: { audio_base64: string; mime_type: string }; result: { text: string } };
}
