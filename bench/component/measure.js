// Runs in the page. What counts as an update's cost is the main thread's time for it: bytes in, DOM changed, styles and
// layout done. Waiting for the next frame is not counted, painting is not measured.

const frames = { spent: 0, asked: 0, layout: () => {} };

const askForFrame = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (callback) => {
  frames.asked += 1;
  return askForFrame((time) => {
    const began = performance.now();
    callback(time);
    frames.layout();
    frames.spent += performance.now() - began;
  });
};

const encoder = new TextEncoder();

/** Resolves in a later task, when promises that are ready have been seen to. */
function nextTask() {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = resolve;
    channel.port2.postMessage(null);
  });
}

const nextFrame = () => new Promise((resolve) => askForFrame(resolve));

/** Milliseconds that each update took; `push` may hand its work to tasks and frames. */
async function costs(chunks, push, layout) {
  const taken = [];
  frames.layout = layout;
  for (const chunk of chunks) {
    frames.spent = 0;
    const began = performance.now();
    push(chunk);
    await nextTask();
    layout();
    const inTasks = performance.now() - began;
    await nextFrame();
    await nextTask();
    taken.push(inTasks + frames.spent);
  }
  frames.layout = () => {};
  return taken;
}

async function until(check, what) {
  for (let tries = 0; tries < 1200; tries += 1) {
    const found = check();
    if (found) return found;
    await nextFrame();
  }
  throw new Error(`${what} did not come`);
}

const json = (value) => new Response(JSON.stringify(value), { headers: { "content-type": "application/json" } });

/** The element under a `fetch` that answers by itself. */
function element(answer) {
  const chat = document.createElement("openai-chatkit");
  const ready = new Promise((resolve) => chat.addEventListener("chatkit.ready", resolve, { once: true }));
  chat.addEventListener("chatkit.error", (event) => console.error(event.detail.error));
  chat.setOptions({
    api: { url: "/chatkit", domainKey: "bench", fetch: async (_, init) => answer(JSON.parse(init.body)) },
  });
  document.body.append(chat);
  return { chat, ready };
}

const shownText = (root, part) => root.shadowRoot.querySelector(`[part~=${part}]`)?.textContent ?? "";

async function chatdock(chunks) {
  let stream;
  const send = (event) => stream.enqueue(encoder.encode(`data: ${JSON.stringify(event)}\n\n`));
  const { chat, ready } = element(({ type }) => {
    if (type !== "threads.create") return json({ data: [], has_more: false });
    return new Response(new ReadableStream({ start: (controller) => void (stream = controller) }), {
      headers: { "content-type": "text/event-stream" },
    });
  });
  await ready;
  await warm(chat);
  const sent = chat.sendUserMessage({ text: "go" });
  await until(() => stream, "the request");
  const at = { thread_id: "t", created_at: "2026-01-01T00:00:00Z" };
  const content = [{ type: "input_text", text: "go" }];
  send({ type: "thread.created", thread: { id: "t", created_at: at.created_at, items: { data: [] } } });
  send({ type: "thread.item.done", item: { id: "u", type: "user_message", content, inference_options: {}, ...at } });
  await sent;
  send({ type: "thread.item.added", item: { id: "a", type: "assistant_message", content: [], ...at } });
  const list = await until(() => chat.shadowRoot.querySelector("[part~=message-list]"), "the list");
  const update = (delta) =>
    send({
      type: "thread.item.updated",
      item_id: "a",
      update: { type: "assistant_message.content_part.text_delta", content_index: 0, delta },
    });
  const taken = await costs(chunks, update, () => list.scrollHeight);
  stream.close();
  return { taken, shown: shownText(chat, "message-assistant").length };
}

async function deepChat(chunks) {
  await import("/peer/deepChat.bundle.js");
  let signals;
  const chat = document.createElement("deep-chat");
  chat.connect = { stream: true, handler: (_, given) => void (signals = given) };
  document.body.append(chat);
  await until(() => chat.submitUserMessage && chat.shadowRoot?.querySelector("#messages"), "deep-chat");
  chat.submitUserMessage({ text: "go" });
  await until(() => signals, "its request");
  signals.onOpen();
  const list = chat.shadowRoot.querySelector("#messages");
  const taken = await costs(chunks, (text) => signals.onResponse({ text }), () => list.scrollHeight);
  signals.onClose();
  return { taken, shown: list.textContent.length };
}

/** What a page does that knows no better: the whole text to HTML, and all of it into the page, each time. */
async function markedAndInnerHtml(chunks) {
  const { marked } = await import("/peer/marked.esm.js");
  const node = document.body.appendChild(document.createElement("div"));
  let text = "";
  const update = (chunk) => {
    text += chunk;
    node.innerHTML = marked.parse(text);
  };
  const taken = await costs(chunks, update, () => node.scrollHeight);
  return { taken, shown: node.textContent.length };
}

/** Shows a thread of so many turns, which the server hands over in one piece; resolves to how many there are. */
async function longThread(turns, text) {
  const at = { thread_id: "t", created_at: "2026-01-01T00:00:00Z" };
  const items = Array.from({ length: 2 * turns }, (_, n) =>
    n % 2 === 0
      ? { id: `i${n}`, type: "user_message", content: [{ type: "input_text", text: `Question ${n}` }], ...at }
      : { id: `i${n}`, type: "assistant_message", content: [{ type: "output_text", text }], ...at },
  );
  const { chat, ready } = element(({ type }) => {
    if (type === "items.list") return json({ data: [...items].reverse(), has_more: false });
    if (type === "threads.get_by_id") return json({ id: "t", created_at: at.created_at, items: { data: [] } });
    return json({ data: [], has_more: false });
  });
  await ready;
  await warm(chat);
  const shown = () => chat.shadowRoot.querySelectorAll("[part~=message-assistant]").length;
  await chat.setThreadId("t");
  await until(() => shown() >= turns, "the thread");
  await nextFrame();
  return shown();
}

/** Resolves when the chunk with Markdown is there, which a page that opened a moment ago still loads. */
async function warm(chat) {
  await until(() => chat.shadowRoot.adoptedStyleSheets.length > 1, "the chunk with Markdown");
}

/** Milliseconds from asking for a thread of the real server until its newest message can be seen. */
async function openThread(secret, threadId, newest) {
  const chat = document.createElement("openai-chatkit");
  const ready = new Promise((resolve) => chat.addEventListener("chatkit.ready", resolve, { once: true }));
  chat.setOptions({ api: { getClientSecret: async () => secret } });
  document.body.append(chat);
  await ready;
  const box = chat.getBoundingClientRect();
  const began = performance.now();
  chat.setThreadId(threadId);
  await until(() => {
    const last = [...chat.shadowRoot.querySelectorAll("[part~=message-user]")].at(-1);
    const place = last?.getBoundingClientRect();
    return last?.textContent.includes(newest) && place.bottom > box.top && place.top < box.bottom;
  }, "the newest message");
  return performance.now() - began;
}

window.measure = { chatdock, deepChat, markedAndInnerHtml, longThread, openThread };
