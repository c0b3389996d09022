/**
 * The bytes that the element and the server share, in `tests/data/wire`: streams that the server wrote, and requests
 * that the element sends, which `tests/ui/test_wire.py` reads. `REWRITE_WIRE=1` writes the requests anew.
 */

// @ts-expect-error Node's own types are not installed: only tests run in Node.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { httpTransport } from "../src/core/http.ts";
import { createConversation } from "../src/core/open-conversation.ts";
import { createHistory } from "../src/core/open-history.ts";
import { reduce } from "../src/core/reduce.ts";
import { readFrames } from "../src/core/sse.ts";
import { emptyTranscript, isStored, type Transcript } from "../src/core/transcript.ts";
import type { Outcome, StreamEvent, ThreadItem } from "../src/core/wire.ts";
import { frames, said, T, thread, until, user } from "./script.ts";

const WIRE = new URL("../../tests/data/wire/", import.meta.url);
const UNSEEN = new Set(["end_of_turn", "hidden_context_item", "sdk_hidden_context"]);

interface Folded {
  outcome: Outcome;
  items: ThreadItem[];
  drafts: Record<string, ThreadItem>;
}

const names: string[] = readdirSync(WIRE)
  .filter((name: string) => name.endsWith(".sse"))
  .map((name: string) => name.slice(0, -4));
const read = (name: string): string => readFileSync(new URL(name, WIRE), "utf8");

describe("what the server writes", () => {
  test("is there", () => expect(names.length).toBeGreaterThan(20));

  test.each(names)("%s: the transcript is what the server folds it to, at the end and before", async (name) => {
    const { outcome, items, drafts }: Folded = JSON.parse(read(`${name}.json`));
    const seen = new Set<string>();
    let transcript: Transcript = emptyTranscript;
    let [last, place] = ["", 0];
    for await (const frame of readFrames(said(read(`${name}.sse`)).body!)) {
      if ("comment" in frame) {
        last = frame.comment;
        continue;
      }
      if ("id" in frame) {
        expect(frame.id.split(":")[1]).toBe(String(place));
        continue;
      }
      const event: StreamEvent = JSON.parse(frame.data);
      place += 1;
      const sequence = String(place);
      const draft = drafts[sequence];
      if (draft) {
        seen.add(sequence);
        expect(bare(transcript).find(({ id }) => id === draft.id)).toEqual(draft);
        expect(transcript.open.has(draft.id)).toBe(true);
      }
      const next = reduce(transcript, event, `crun_1:${place}`);
      expect(next, frame.data).not.toBeNull();
      transcript = next!;
    }
    expect(bare(transcript)).toEqual(items.filter(({ type }) => !UNSEEN.has(type)));
    expect(seen).toEqual(new Set(Object.keys(drafts)));
    expect([last, transcript.open.size]).toEqual([outcome, 0]);
  });
});

/** The server's items, without what only the reducer keeps with them. */
function bare({ entries }: Transcript): ThreadItem[] {
  return entries.filter(isStored).map((item) => {
    if (item.type !== "generated_image") return item;
    const { progress: _, ...stored } = item;
    return stored;
  });
}

describe("what the element sends", () => {
  test("is what the server reads", async () => {
    const sent: { name: string; body: unknown }[] = [];
    const text = `${JSON.stringify(await requests(sent), null, 1)}\n`;
    // @ts-expect-error see above
    if (process.env.REWRITE_WIRE) writeFileSync(new URL("requests.json", WIRE), text);
    expect(text).toBe(read("requests.json"));
  });
});

/** Does everything that sends an operation; gives each body as it went out. */
async function requests(sent: { name: string; body: unknown }[]): Promise<typeof sent> {
  let name = "";
  let streams: Response[] = [];
  const transport = httpTransport({
    url: "https://chat.example/v1/chatkit/conversation",
    send: async (_, { body }) => {
      const request = JSON.parse(String(body));
      if (!sent.some((each) => each.name === name && JSON.stringify(each.body) === JSON.stringify(request))) {
        sent.push({ name, body: request });
      }
      if (request.type === "threads.get_by_id") return Response.json(thread({ title: "Tides" }));
      if (request.type === "items.list")
        return Response.json({ data: [user("cti_1")], has_more: true, after: "cti_1" });
      if (request.type === "threads.list") return Response.json({ data: [thread()], has_more: true });
      return streams.shift() ?? Response.json({});
    },
    locale: () => "en",
    honoursKeys: true,
    owns: () => true,
  });
  const turn = (...events: unknown[]) => said(`${frames(events)}: completed\n\n`);
  const conversation = createConversation({
    transport: () => transport,
    onClientTool: () => () => ({ ok: true }),
    pause: async () => {},
    isOnline: () => true,
  });
  const doing = async (what: string, work: () => Promise<unknown>, ...answers: Response[]) => {
    name = what;
    streams = answers;
    await work();
    await until(() => !conversation.busy);
  };

  const said1 = [
    { type: "thread.created", thread: thread({ title: "Tides" }) },
    { type: "thread.item.done", item: user("cti_1") },
  ];
  const full = {
    content: [
      { type: "input_text" as const, text: "Ask " },
      {
        type: "input_tag" as const,
        id: "p1",
        text: "Ada",
        data: { role: "captain" },
        group: "People",
        interactive: true,
      },
    ],
    attachments: [{ type: "file" as const, id: "cfile_1", name: "a.pdf", mime_type: "application/pdf" }],
    quotedText: "as I said",
    inferenceOptions: { model: "large", tool_choice: { id: "search" } },
  };
  const plain = { content: [{ type: "input_text" as const, text: "Hi" }] };
  await doing("a first message", () => conversation.send(plain), turn(...said1));
  await doing(
    "a message with everything",
    () => conversation.send(full),
    turn({ type: "thread.item.done", item: user("cti_2") }),
  );
  await doing("an action", () => conversation.act({ type: "go", payload: { n: 1 } }, { itemId: "cti_3" }), turn());
  await doing("an action without a widget", () => conversation.act({ type: "go" }), turn());
  await doing("an action at once", () =>
    conversation.act({ type: "go", payload: [1] }, { itemId: "cti_3", streaming: false }),
  );
  const answers = { berth: { values: ["North"], skipped: false }, wishes: { values: [], skipped: true } };
  await doing("answers", () => conversation.answerInput("cti_4", { status: "answered", answers }), turn());
  await doing("skipping", () => conversation.answerInput("cti_4", { status: "skipped", answers: {} }), turn());
  await doing("a retry", () => conversation.retry("cti_1"), turn());
  await doing("a verdict", () => conversation.rate(["cti_2", "cti_3"], "positive"));
  await doing("reading again", () => conversation.refresh());
  await doing("reading further back", () => conversation.loadOlder());
  const call = { id: "cti_5", thread_id: T, type: "client_tool_call", status: "pending", name: "x", arguments: {} };
  await doing(
    "a tool's output",
    () => conversation.retry("cti_1"),
    turn({ type: "thread.item.done", item: call }),
    turn(),
  );
  const cut = said(frames([{ type: "progress_update", text: "…" }]));
  await doing("taking up a run", () => conversation.retry("cti_1"), cut, turn());
  await doing("joining a run", () => transport.stream("threads.resume", { thread_id: T }), turn());
  await doing("stopping", () => transport.call("threads.cancel", { thread_id: T }));

  const history = createHistory({ transport: () => transport });
  await doing("the history", () => history.refresh());
  await doing("more of the history", () => history.loadMore());
  await doing("renaming", () => history.rename(T, "Tides"));
  await doing("deleting", () => history.remove(T));
  await doing("an upload", () =>
    transport.call("attachments.create", { name: "a.pdf", size: 12, mime_type: "application/pdf" }),
  );
  await doing("an upload taken back", () => transport.call("attachments.delete", { attachment_id: "cfile_1" }));
  await doing("dictation", () => transport.call("input.transcribe", { audio_base64: "AAAA", mime_type: "audio/webm" }));
  return sent;
}
