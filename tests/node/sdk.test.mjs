// The official Node SDK, pointed at a server by its base URL alone. The server, its address and its key come from
// tests/rest/test_node_sdk.py.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import OpenAI from "openai";

const baseURL = `${process.env.CHATDOCK_URL}/v1`;
const client = new OpenAI({ baseURL, apiKey: process.env.CHATDOCK_KEY, maxRetries: 0 });
const { sessions, threads } = client.beta.chatkit;
const workflow = { id: "wf_test" };
const THREADS = 45;

const as = (secret) => new OpenAI({ baseURL, apiKey: secret, maxRetries: 0 });
const say = (text) => ({ content: [{ type: "input_text", text }], attachments: [], inference_options: {} });

async function stream(user, type, params) {
  const response = await user.post("/chatkit/conversation", { body: { type, params }, __binaryResponse: true });
  const lines = (await response.text()).split("\n");
  return lines.filter((line) => line.startsWith("data: ")).map((line) => JSON.parse(line.slice(6)));
}

async function talkative(user) {
  const made = await sessions.create({ user, workflow, rate_limits: { max_requests_per_1_minute: 1000 } });
  return as(made.client_secret);
}

async function startThread(user, text) {
  const events = await stream(user, "threads.create", { input: say(text) });
  return events[0].thread.id;
}

async function collect(pages) {
  const found = [];
  for await (const entry of pages) found.push(entry);
  return found;
}

const ids = (entries) => entries.map((entry) => entry.id);

describe("sessions", () => {
  test("every member comes back as it was asked for", async () => {
    const wanted = {
      id: "wf_test",
      version: "7",
      state_variables: { name: "Ada", age: 36, height: 1.7, member: true },
      tracing: { enabled: false },
    };
    const configuration = {
      automatic_thread_titling: { enabled: false },
      file_upload: { enabled: false, max_file_size: 16, max_files: 2 },
      history: { enabled: true, recent_threads: 5 },
    };
    const session = await sessions.create({
      user: "ada",
      workflow: wanted,
      expires_after: { anchor: "created_at", seconds: 90 },
      rate_limits: { max_requests_per_1_minute: 3 },
      chatkit_configuration: configuration,
    });
    assert.equal(session.object, "chatkit.session");
    assert.match(session.id, /^cksess_/);
    assert.equal(session.status, "active");
    assert.deepEqual(session.workflow, wanted);
    assert.deepEqual(session.chatkit_configuration, configuration);
    assert.equal(session.max_requests_per_1_minute, 3);
    assert.equal(session.rate_limits.max_requests_per_1_minute, 3);
  });

  test("empty objects mean the documented defaults", async () => {
    const session = await sessions.create({
      user: "ada",
      workflow: { id: "wf_test", tracing: {} },
      rate_limits: {},
      chatkit_configuration: { automatic_thread_titling: {}, file_upload: {}, history: {} },
    });
    assert.deepEqual(session.workflow, {
      id: "wf_test",
      version: null,
      state_variables: null,
      tracing: { enabled: true },
    });
    assert.equal(session.max_requests_per_1_minute, 10);
    assert.deepEqual(session.chatkit_configuration, {
      automatic_thread_titling: { enabled: true },
      file_upload: { enabled: false, max_file_size: 512, max_files: 10 },
      history: { enabled: true, recent_threads: null },
    });
  });

  test("a cancelled one comes back without its secret", async () => {
    const made = await sessions.create({ user: "ada", workflow });
    const cancelled = await sessions.cancel(made.id);
    assert.deepEqual(cancelled, { ...made, status: "cancelled", client_secret: "" });
  });
});

describe("threads", () => {
  const made = [];

  before(async () => {
    const [ada, ben] = [await talkative("ada"), await talkative("ben")];
    for (let n = 0; n < THREADS; n++) made.push(await startThread(n % 3 === 2 ? ben : ada, `message ${n}`));
  });

  test("listing pages through all of them in both orders", async () => {
    assert.deepEqual(ids(await collect(threads.list({ limit: 10, order: "asc" }))), made);
    assert.deepEqual(ids(await collect(threads.list({ limit: 10 }))), made.toReversed());
  });

  test("pages say where they end", async () => {
    const sizes = [];
    for await (const page of (await threads.list({ limit: 10 })).iterPages()) sizes.push([page.data.length, page.has_more]);
    assert.deepEqual(sizes, [
      [10, true],
      [10, true],
      [10, true],
      [10, true],
      [5, false],
    ]);
  });

  test("`after` cuts the list at a thread", async () => {
    assert.deepEqual(ids(await collect(threads.list({ after: made[41], order: "asc" }))), made.slice(42));
  });

  test("the user filter shows that user's alone", async () => {
    const bens = await collect(threads.list({ user: "ben", order: "asc", limit: 4 }));
    assert.deepEqual(
      ids(bens),
      made.filter((_, n) => n % 3 === 2),
    );
    assert.ok(bens.every((thread) => thread.user === "ben"));
  });

  test("one is retrieved with its title and status", async () => {
    const thread = await threads.retrieve(made[0]);
    assert.deepEqual([thread.id, thread.object, thread.title], [made[0], "chatkit.thread", "message 0"]);
    assert.deepEqual(thread.status, { type: "active" });
  });

  test("items are listed page by page", async () => {
    const carla = await talkative("carla");
    const thread = await startThread(carla, "one");
    await stream(carla, "threads.add_user_message", { thread_id: thread, input: say("two") });
    const items = await collect(threads.listItems(thread, { limit: 1, order: "asc" }));
    assert.deepEqual(
      items.map((item) => [item.type, item.content[0].text]),
      [
        ["chatkit.user_message", "one"],
        ["chatkit.assistant_message", "one"],
        ["chatkit.user_message", "two"],
        ["chatkit.assistant_message", "two"],
      ],
    );
  });

  test("a deleted one is gone", async () => {
    const id = await startThread(await talkative("dan"), "hello");
    assert.deepEqual(await threads.delete(id), { id, object: "chatkit.thread.deleted", deleted: true });
    await assert.rejects(threads.retrieve(id), OpenAI.NotFoundError);
  });
});

describe("failures are the error classes that applications catch", () => {
  test("400", async () => {
    const wanted = { user: "ada", workflow, expires_after: { anchor: "created_at", seconds: 601 } };
    await assert.rejects(sessions.create(wanted), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.equal(error.param, "expires_after.seconds");
      assert.equal(error.type, "invalid_request_error");
      assert.match(error.message, /600/);
      assert.match(error.requestID, /^req_/);
      return true;
    });
  });

  test("401", async () => {
    await assert.rejects(as("sk-nobody").beta.chatkit.threads.retrieve("cthr_1"), (error) => {
      assert.ok(error instanceof OpenAI.AuthenticationError);
      assert.equal(error.code, "invalid_api_key");
      return true;
    });
  });

  test("404", async () => {
    await assert.rejects(sessions.create({ user: "ada", workflow: { id: "wf_none" } }), (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError);
      assert.match(error.message, /Workflow with id 'wf_none' not found\./);
      return true;
    });
  });

  test("429", async () => {
    const made = await sessions.create({ user: "eve", workflow, rate_limits: { max_requests_per_1_minute: 1 } });
    const eve = as(made.client_secret);
    await startThread(eve, "hello");
    await assert.rejects(startThread(eve, "hello"), (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError);
      assert.equal(error.code, "rate_limit_exceeded");
      assert.ok(Number(error.headers.get("retry-after")) >= 1);
      return true;
    });
  });
});
