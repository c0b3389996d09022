// One view per kind of item: `{node, update(item, context)}`. A kind that is not known here is not shown.
//
// The context: `{open, origin, act}`. `open` says that the item is still being written; `act` are the page's actions.
import { h, iconButton, showText } from "./dom.js";
import { safeImage, safeLink } from "./text.js";
import { widgetNodes } from "./widget.js";

const VIEWS = {
  user_message: userMessage,
  assistant_message: assistantMessage,
  workflow,
  task,
  widget,
  client_tool_call: clientToolCall,
  structured_input: structuredInput,
  generated_image: generatedImage,
  note,
};

export function itemView(item, context) {
  return VIEWS[item.type]?.(item, context) ?? { node: h("div", { hidden: true }), update() {} };
}

function article(role, label, ...children) {
  return h("article", { class: `item ${role}`, "data-role": role, "aria-label": label }, ...children);
}

/** A view that is simply built anew when its item changed. */
function rebuilt(node, build) {
  const update = (item, context) => node.replaceChildren(...[build(item, context)].flat());
  return { node, update };
}

function userMessage() {
  const node = article("user", "You");
  return rebuilt(node, (item) => {
    node.toggleAttribute("data-pending", item.pending === true);
    const text = h("div", { class: "text" });
    showText(text, (item.content ?? []).map((part) => part?.text ?? "").join(""));
    return [
      item.quoted_text ? h("blockquote", { dir: "auto" }, item.quoted_text) : [],
      text,
      (item.attachments ?? []).map((file) => h("p", { class: "file" }, file.name)),
    ].flat();
  });
}

function assistantMessage(first, { act }) {
  const text = h("div", { class: "text" });
  const sources = h("div");
  const rate = (kind, label) =>
    iconButton(kind === "positive" ? "good" : "bad", label, async (event) => {
      const button = event.currentTarget;
      if (!(await act.rate(first.id, kind))) return;
      for (const other of feedback.children) other.setAttribute("aria-pressed", String(other === button));
    }, { "data-action": `feedback-${kind}`, "aria-pressed": "false" });
  const feedback = h("div", { class: "feedback" }, rate("positive", "Good answer"), rate("negative", "Bad answer"));
  const node = article("assistant", "Assistant", text, sources, feedback);
  return {
    node,
    update(item, { open }) {
      const parts = (item.content ?? []).filter(Boolean);
      showText(text, parts.map((part) => part.text ?? "").join("\n\n"));
      const found = sourceList(parts.flatMap((part) => part.annotations ?? []).map((annotation) => annotation?.source));
      sources.replaceChildren(...(found ? [found] : []));
      node.toggleAttribute("data-open", open);
      node.setAttribute("aria-busy", String(open)); // a screen reader waits for the whole answer
      feedback.hidden = open;
    },
  };
}

function sourceList(sources) {
  const lines = new Set();
  const rows = [];
  for (const source of sources) {
    const label = source?.title || source?.filename || source?.url || source?.id;
    const key = `${label} ${source?.url ?? ""}`;
    if (!label || lines.has(key)) continue;
    lines.add(key);
    const link = source.type === "url" ? safeLink(source.url) : null;
    rows.push(h("li", {}, link ? h("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, label) : label));
  }
  return rows.length ? h("ul", { class: "sources", "aria-label": "Sources" }, rows) : null;
}

function workflow() {
  const title = h("span");
  const list = h("ol", { class: "tasks" });
  const details = h("details", {}, h("summary", {}, title), list);
  let wasOpen = null;
  return {
    node: article("workflow", "Steps", details),
    update(item, { open }) {
      const { tasks = [], summary, type, expanded } = item.workflow ?? {};
      const seconds = summary?.duration;
      if (summary?.title) title.textContent = summary.title;
      else if (open) title.textContent = type === "reasoning" ? "Thinking" : "Working";
      else if (type !== "reasoning") title.textContent = tasks.length === 1 ? "1 step" : `${tasks.length} steps`;
      else title.textContent = seconds === undefined ? "Thought" : `Thought for ${seconds} s`;
      details.toggleAttribute("data-open", open);
      list.replaceChildren(...tasks.filter(Boolean).map((entry) => h("li", { "data-status": taskStatus(entry) }, taskNodes(entry))));
      // The reader's own choice stands until the steps are complete; then they fold up unless they should stay.
      if (wasOpen !== open) details.open = open || expanded === true;
      wasOpen = open;
    },
  };
}

const taskStatus = (entry) => entry.status_indicator ?? "none";

function taskTitle(entry) {
  const fallback = { web_search: "Searched the web", thought: "Thought", file: "Read files", image: "Made an image" }[entry.type];
  return entry.title ?? entry.title_query ?? fallback ?? "Step";
}

function taskBody(entry) {
  const body = [];
  if (entry.content) {
    const text = h("div", { class: "text" });
    showText(text, entry.content);
    body.push(text);
  }
  if (entry.queries?.length) body.push(h("p", { class: "quiet" }, entry.queries.map((query) => `“${query}”`).join(", ")));
  const sources = sourceList(entry.sources ?? []);
  if (sources) body.push(sources);
  return body;
}

function taskNodes(entry) {
  const status = { loading: " (in progress)", complete: " (done)" }[taskStatus(entry)] ?? "";
  return [h("p", { class: "title" }, taskTitle(entry), h("span", { class: "unseen" }, status)), ...taskBody(entry)];
}

function task() {
  return rebuilt(article("task", "Step"), (item) => {
    const body = taskBody(item.task ?? {});
    if (!body.length) return h("p", { class: "title" }, taskTitle(item.task ?? {}));
    return h("details", {}, h("summary", {}, h("span", {}, taskTitle(item.task))), h("div", { class: "tasks" }, body));
  });
}

function widget() {
  const node = article("widget", "Widget");
  return rebuilt(node, (item, { act, origin }) => widgetNodes(item, { act: (action) => act.widget(item.id, action), origin }));
}

function clientToolCall() {
  const node = article("tool", "Page tool");
  return rebuilt(node, (item) => {
    node.dataset.status = item.status;
    const answered = item.status === "completed";
    return h(
      "details",
      {},
      h("summary", {}, h("span", {}, answered ? "Asked this page: " : "Asking this page: ", h("code", {}, item.name))),
      h("div", { class: "tasks" }, json("Arguments", item.arguments ?? {}), answered && item.output !== undefined ? json("Answer", item.output) : []),
    );
  });
}

function json(label, value) {
  return [h("p", { class: "quiet" }, label), h("pre", { tabindex: "0", "aria-label": label }, h("code", {}, JSON.stringify(value, null, 2)))];
}

function generatedImage() {
  return rebuilt(article("image", "Generated image"), (item, { open, origin }) => {
    if (open || !item.image) {
      const done = typeof item.progress === "number" ? ` ${Math.round(item.progress * 100)} %` : "";
      const preview = item.image && safeImage(item.image.url, origin);
      return [preview ? h("img", { src: preview, alt: "Unfinished image" }) : [], h("p", { class: "quiet" }, `Making an image…${done}`)].flat();
    }
    const address = safeImage(item.image.url, origin);
    return address
      ? h("img", { src: address, alt: "Generated image" })
      : h("p", { class: "quiet" }, "This image lies on another server and is not shown.");
  });
}

function note(first, { act }) {
  const role = first.kind === "error" || first.level === "danger" ? "alert" : null;
  const node = h("div", { class: `item ${first.kind}`, "data-role": first.kind, role });
  return rebuilt(node, (item) => {
    if (item.level) node.dataset.level = item.level;
    if (item.kind === "effect") {
      const data = Object.keys(item.data).length ? ` ${JSON.stringify(item.data)}` : "";
      return h("p", {}, "Effect for the page: ", h("code", {}, `${item.name}${data}`));
    }
    const message = item.message || (item.kind === "error" ? "Something went wrong while answering." : "");
    return [
      item.title ? h("p", { class: "title" }, item.title) : [],
      h("p", { dir: "auto" }, message),
      item.retry ? h("button", { type: "button", "data-action": "retry", "data-idle": true, onclick: act.retry }, "Retry") : [],
    ].flat();
  });
}

/** A form while it waits for an answer; afterwards the answers. */
function structuredInput(first, { act }) {
  const node = article("structured-input", "Questions");
  return rebuilt(node, (item) => {
    node.dataset.status = item.status;
    if (item.status !== "pending") {
      const answer = (input) => (input.answer && !input.answer.skipped && input.answer.values.join(", ")) || "Skipped";
      return h("dl", {}, item.inputs.map((input) => [h("dt", {}, input.question), h("dd", { dir: "auto" }, answer(input))]).flat());
    }
    const fields = item.inputs.map((input) => question(item.id, input));
    const submit = (event) => {
      event.preventDefault();
      act.answer(item.id, Object.fromEntries(fields.map(({ id, values }) => [id, values()])));
    };
    return h(
      "form",
      { onsubmit: submit },
      fields.map((field) => field.node),
      h(
        "p",
        { class: "buttons" },
        h("button", { type: "submit", class: "primary", "data-action": "answer", "data-idle": true }, "Answer"),
        h("button", { type: "button", "data-action": "skip", "data-idle": true, onclick: () => act.answer(item.id, null) }, "Skip"),
      ),
    );
  });
}

function question(itemId, input) {
  const name = `${itemId}-${input.id}`;
  const type = input.multiple ? "checkbox" : "radio";
  const choices = input.type === "multiple_choice" ? (input.options ?? []) : [];
  const boxes = choices.map((option) => h("input", { type, name, value: option.value }));
  const own =
    input.type === "multiple_choice"
      ? h("input", { type: "text", "aria-label": `Another answer to: ${input.question}`, placeholder: "Another answer" })
      : h("textarea", { rows: "2", "aria-label": input.question });
  if (type === "radio") own.addEventListener("input", () => own.value && boxes.forEach((box) => (box.checked = false)));
  const node = h(
    "fieldset",
    { "data-question": input.id },
    h("legend", { dir: "auto" }, input.question),
    input.description ? h("p", { class: "quiet" }, input.description) : null,
    boxes.map((box) => h("label", {}, box, h("span", { dir: "auto" }, box.value))),
    own,
  );
  const values = () => {
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
    const text = own.value.trim();
    const all = text && (type === "checkbox" || !chosen.length) ? [...chosen, text] : chosen;
    return { values: all, skipped: all.length === 0 };
  };
  if (type === "radio") boxes.forEach((box) => box.addEventListener("change", () => (own.value = "")));
  return { id: input.id, node, values };
}
