"""Every method of the element does what it says, or rejects with the reason."""

from __future__ import annotations

import json

import pytest

from tests.harness.chatpage import expect, text_of
from tests.ui.conftest import Opener
from tests.ui.reference import Reference

pytestmark = pytest.mark.slow

TOOLS = '{ composer: { tools: [{ id: "search", label: "Search", icon: "search" }], models: [' + (
    '{ id: "small", label: "Small" }, { id: "large", label: "Large", default: true }] } }'
)


@pytest.mark.row("M1", "R2")
def test_set_options_again_keeps_thread_draft_and_tool(chat: Opener) -> None:
    page = chat(TOOLS)
    page.ask("echo before")
    thread = page.thread_id()
    page.call("setComposerValue", {"text": "half a thought", "selectedToolId": "search", "selectedModelId": "small"})
    for greeting in ("one", "two"):
        page.set_options(f"{{ ...{TOOLS}, startScreen: {{ greeting: '{greeting}' }} }}")
    assert page.call("getComposerValue")["text"] == "half a thought"
    expect(page.answer).to_have_text("before")
    page.call("setComposerValue", {"text": "options"})
    page.composer.press("Enter")
    expect(page.answer).to_contain_text("Model: small. Tool: search.")
    assert page.thread_id() == thread
    assert page.events("chatkit.ready") == [None]


@pytest.mark.row("M1")
def test_set_options_replaces_and_does_not_merge(chat: Opener) -> None:
    page = chat("{ composer: { placeholder: 'First' }, startScreen: { greeting: 'Greeting' } }")
    page.set_options("{ composer: { placeholder: 'Second' } }")
    page.until(lambda: page.placeholder() == "Second", "the new placeholder")
    expect(page.element.get_by_text("Greeting")).to_have_count(0)


@pytest.mark.row("M2")
def test_focus_composer(chat: Opener) -> None:
    page = chat()
    page.call("focusComposer")
    expect(page.composer).to_be_focused()


@pytest.mark.row("M2", "M5")
def test_a_value_and_the_focus_right_after_it(chat: Opener) -> None:
    page = chat()
    page.page.evaluate("() => { chat.setComposerValue({ text: 'echo together' }); chat.focusComposer(); }")
    expect(page.composer).to_be_focused()
    page.page.keyboard.press("Enter")
    expect(page.answer).to_contain_text("together")


@pytest.mark.row("M3", "E7")
def test_set_thread_id_opens_a_thread_or_a_new_one(chat: Opener) -> None:
    client = chat.stage.server.backend.chat("opener", "wf_showcase")
    thread = client.create("echo from before").thread_id
    page = chat(user="opener")
    page.call("setThreadId", thread)
    expect(page.answer).to_have_text("from before")
    page.call("setThreadId", None)
    expect(page.answers).to_have_count(0)
    page.page.evaluate("thread => chat.setThreadId(thread)", thread)
    expect(page.answer).to_have_text("from before")
    page.page.evaluate("() => chat.setThreadId(undefined)")
    expect(page.answers).to_have_count(0)
    assert [event["threadId"] for event in page.events("chatkit.thread.change")] == [thread, None, thread, None]


@pytest.mark.row("M4")
def test_send_user_message_sends_text_quote_tool_and_model(custom: Opener) -> None:
    chat = custom(f"{{ api: {{ url: '/chatkit', domainKey: 'x' }}, ...{TOOLS} }}")
    chat.call("setComposerValue", {"text": "a draft"})
    chat.call(
        "sendUserMessage",
        {
            "content": [
                {"type": "input_text", "text": "message "},
                {"type": "input_tag", "id": "ship_1", "text": "Aurora", "group": "Ships", "interactive": True},
            ],
            "reply": "what was said",
            "toolChoice": {"id": "search"},
            "model": "small",
        },
    )
    chat.until(lambda: chat.answers.count() == 1 and text_of(chat.answer).endswith("}"), "the answer")
    held = json.loads(text_of(chat.answer))
    tag = {"type": "input_tag", "id": "ship_1", "text": "Aurora", "data": {}, "group": "Ships", "interactive": True}
    assert held["content"] == [{"type": "input_text", "text": "message "}, tag]
    assert held["quoted_text"] == "what was said"
    assert held["inference_options"] == {"tool_choice": {"id": "search"}, "model": "small"}
    expect(chat.button("Model: Large")).to_be_visible()
    assert chat.call("getComposerValue")["text"] == "a draft"
    assert chat.events("chatkit.tool.change") == []


@pytest.mark.row("M4")
def test_send_user_message_into_a_new_thread(chat: Opener) -> None:
    page = chat()
    page.ask("echo first")
    first = page.thread_id()
    page.call("sendUserMessage", {"text": "echo second", "newThread": True})
    expect(page.answers).to_have_text(["second"])
    assert page.thread_id() != first


@pytest.mark.row("M4")
def test_send_user_message_with_an_attachment_that_is_uploaded_already(custom: Opener, peer: Reference) -> None:
    chat = custom(
        "{ api: { url: '/chatkit', domainKey: 'x', uploadStrategy: { type: 'direct', uploadUrl: '/upload' } } }"
    )
    attachment = chat.page.evaluate("""async () => {
      const form = new FormData();
      form.append("file", new File(["tide"], "tide.csv", { type: "text/csv" }));
      return (await fetch("/upload", { method: "POST", body: form })).json();
    }""")
    chat.call("sendUserMessage", {"text": "message", "attachments": [attachment]})
    expect(chat.answer).to_contain_text("tide.csv")
    expect(chat.questions.last).to_contain_text("tide.csv")


@pytest.mark.row("M5")
def test_set_composer_value_sets_all_that_a_message_holds(chat: Opener) -> None:
    page = chat(TOOLS)
    page.call(
        "setComposerValue",
        {
            "content": [
                {"type": "input_text", "text": "message about "},
                {"type": "input_tag", "id": "ship_1", "text": "Aurora", "data": {"berth": "1"}},
            ],
            "reply": "what was said",
            "selectedToolId": "search",
            "selectedModelId": "small",
        },
    )
    expect(page.element.get_by_text("what was said")).to_be_visible()
    expect(page.button("Model: Small")).to_be_visible()
    page.composer.press("Enter")
    expect(page.answer).to_contain_text("Tags: Aurora (ship_1)")
    expect(page.answer).to_contain_text("Quoted text: what was said")
    page.call("setComposerValue", {"selectedToolId": "search"})
    page.call("setComposerValue", {"selectedToolId": None})
    assert [event["toolId"] for event in page.events("chatkit.tool.change")] == ["search", None, "search", None]


@pytest.mark.row("M5", "C2")
def test_set_composer_value_uploads_files(custom: Opener, peer: Reference) -> None:
    chat = custom("""{
      api: { url: "/chatkit", domainKey: "x", uploadStrategy: { type: "direct", uploadUrl: "/upload" } },
      composer: { attachments: { enabled: true, maxSize: 100 } } }""")
    chat.page.evaluate("""() => chat.setComposerValue({
      text: "message", files: [new File(["wind"], "wind.txt", { type: "text/plain" })] })""")
    expect(chat.button("Remove wind.txt")).to_be_visible()
    chat.uploaded(1)
    chat.composer.press("Enter")
    expect(chat.answer).to_contain_text("wind.txt")
    assert [upload["bytes"] for upload in peer.uploads] == [4]
    chat.page.evaluate(
        "() => chat.setComposerValue({ files: [new File(['x'.repeat(101)], 'long.txt')] }).catch(() => null)"
    )
    expect(chat.element.get_by_text("long.txt is too large.")).to_be_visible()
    chat.forgive("error:")


@pytest.mark.row("M6")
def test_send_custom_action(chat: Opener) -> None:
    page = chat()
    page.ask("widget")
    page.call("sendCustomAction", {"type": "showcase.report", "payload": {"n": 1}})
    expect(page.answer).to_contain_text('Action showcase.report: {"n":1}')


@pytest.mark.row("M6")
def test_send_action_is_the_older_name(chat: Opener) -> None:
    page = chat()
    page.ask("widget")
    page.call("sendAction", {"type": "showcase.report", "payload": {"n": 2}})
    expect(page.answer).to_contain_text('Action showcase.report: {"n":2}')


@pytest.mark.row("M7")
def test_fetch_updates_shows_what_happened_elsewhere(chat: Opener) -> None:
    page = chat(user="updated")
    page.ask("echo one")
    client = chat.stage.server.backend.chat("updated", "wf_showcase")
    client.send(page.thread_id(), "title Changed elsewhere")
    page.call("fetchUpdates")
    expect(page.answer).to_contain_text("The title is now: Changed elsewhere")
    expect(page.element.locator("[part~='header']")).to_contain_text("Changed elsewhere")


@pytest.mark.row("M8", "E6")
def test_show_and_hide_history(chat: Opener) -> None:
    page = chat()
    page.call("showHistory")
    expect(page.element.get_by_role("dialog", name="History")).to_be_visible()
    page.call("hideHistory")
    expect(page.element.get_by_role("dialog")).to_have_count(0)
    assert page.names("ready") == ["history.open", "history.close"]


@pytest.mark.row("M9")
def test_the_composers_value_can_be_read(chat: Opener) -> None:
    page = chat(TOOLS)
    page.composer.fill("a thought")
    value = page.call("getComposerValue")
    assert value["text"] == "a thought"
    assert page.call("setComposerValue", {"selectedToolId": "search"}) is None
    assert page.call("getComposerValue")["selectedToolId"] == "search"


@pytest.mark.row("M9", "C9")
def test_stop_ends_the_answer_and_keeps_it(chat: Opener) -> None:
    page = chat()
    page.send("hang")
    expect(page.answer).to_contain_text("Waiting until somebody stops this")
    page.call("stop")
    page.idle()
    expect(page.answer).to_contain_text("Waiting until somebody stops this")


@pytest.mark.row("M9")
def test_the_thread_can_be_read(chat: Opener) -> None:
    page = chat()
    page.ask("echo readable")
    thread = page.page.evaluate("() => chat.getThread()")
    assert "readable" in json.dumps(thread)
    assert page.thread_id() in json.dumps(thread)


@pytest.mark.row("M10")
def test_what_cannot_be_done_while_an_answer_streams_is_refused_and_nothing_hangs(chat: Opener) -> None:
    page = chat()
    page.send("hang")
    expect(page.answer).to_contain_text("Waiting")
    for method, argument in (
        ("sendUserMessage", {"text": "echo too early"}),
        ("sendCustomAction", {"type": "showcase.report"}),
    ):
        assert page.call(method, argument)["rejected"] == "IntegrationError"
    page.call("stop")
    page.idle()
    expect(page.ask("echo now")).to_have_text("now")
    assert page.questions.count() == 2


@pytest.mark.row("M10")
def test_calls_that_make_no_sense_are_refused_with_a_reason(chat: Opener) -> None:
    page = chat()
    for method, argument in (("sendUserMessage", {}), ("sendCustomAction", {}), ("setThreadId", 42)):
        answer = page.call(method, argument)
        assert answer["rejected"] == "IntegrationError", method
        assert answer["message"]


@pytest.mark.row("R6", "M1")
def test_methods_before_the_options_or_without_them_settle(chat: Opener) -> None:
    page = chat()
    outcome = page.page.evaluate("""async () => {
      const early = document.createElement("openai-chatkit");
      const first = await Promise.race([
        early.sendUserMessage({ text: "hello" }).then(() => "sent", (error) => error.name),
        new Promise((resolve) => setTimeout(resolve, 3000, "hung")),
      ]);
      return first;
    }""")
    assert outcome == "IntegrationError"
