"""Every event comes when it should, with what it should carry, and from the element."""

from __future__ import annotations

import json

import pytest

from tests.harness.chatpage import expect
from tests.ui.conftest import Opener

pytestmark = pytest.mark.slow


@pytest.mark.row("E1")
def test_ready_comes_once_and_to_listeners_added_after_set_options(chat: Opener) -> None:
    page = chat()
    assert page.events("chatkit.ready") == [None]
    heard = page.page.evaluate("""async () => {
      const late = document.createElement("openai-chatkit");
      late.setOptions(makeOptions());
      const host = document.body.appendChild(document.createElement("div"));
      host.append(late);
      await Promise.resolve();
      const ready = new Promise((resolve) => late.addEventListener("chatkit.ready", (event) => resolve(event.detail)));
      const detail = await Promise.race([ready, new Promise((resolve) => setTimeout(resolve, 3000, "never"))]);
      host.remove();
      return detail ?? "heard";
    }""")
    assert heard == "heard"


@pytest.mark.row("E1")
def test_events_come_from_the_element_and_bubble(chat: Opener) -> None:
    page = chat()
    bubbled = page.page.evaluate("""async () => {
      const seen = [];
      window.addEventListener("chatkit.history.open", () => seen.push("window"));
      chat.addEventListener("chatkit.history.open", () => seen.push("element"));
      await chat.showHistory();
      return seen;
    }""")
    assert bubbled == ["element", "window"]
    assert all(event["onElement"] for event in page.events())


@pytest.mark.row("E2", "T12")
def test_an_error_of_the_server_is_an_event_with_a_real_error(chat: Opener) -> None:
    page = chat()
    page.forgive("error:", "404")
    page.call("setThreadId", "cthr_0123456789abcdef0123456789abcdef")
    page.until(lambda: page.events("chatkit.error"), "chatkit.error")
    [error, *_] = page.events("chatkit.error")
    assert error["error"]["real"] is True
    assert error["error"]["message"]


@pytest.mark.row("E3")
def test_a_client_effect(chat: Opener) -> None:
    page = chat()
    page.ask('effect light {"on": true}')
    assert page.events("chatkit.effect") == [{"name": "light", "data": {"on": True}}]


@pytest.mark.row("E4", "T3")
def test_a_deep_link(chat: Opener) -> None:
    page = chat()
    page.ask("echo Go to [order 42](chatkit-link://order?id=42&view=full) or [nowhere](chatkit-link://plain)")
    page.answer.get_by_text("order 42").click()
    page.answer.get_by_text("nowhere").click()
    first, second = page.events("chatkit.deeplink")
    assert first == {"name": "order", "data": {"id": "42", "view": "full"}}
    assert second["name"] == "plain"
    assert len(page.page.context.pages) == 1


@pytest.mark.row("E5", "E7")
def test_the_events_of_a_first_message_and_their_order(chat: Opener) -> None:
    page = chat()
    page.ask("echo hello")
    assert page.names() == ["ready", "response.start", "thread.change", "response.end"]
    [change] = page.events("chatkit.thread.change")
    assert change["threadId"].startswith("cthr_")


@pytest.mark.row("E5")
@pytest.mark.parametrize("way", ["stop", "error", "crash", "closed", "locked again"])
def test_a_response_that_began_ends_however_it_ends(chat: Opener, way: str) -> None:
    page = chat()
    page.forgive("error:", "409")
    if way == "stop":
        page.send("hang")
        expect(page.answer).to_contain_text("Waiting")
        page.button("Stop").click()
    elif way == "closed":
        page.ask("close")
    elif way == "locked again":
        page.ask("lock for now")
        page.call("sendUserMessage", {"text": "echo no"})
    else:
        page.send(f"{way} partial")
    page.until(lambda: page.events("chatkit.response.end"), "chatkit.response.end")
    page.idle()
    names = [name for name in page.names() if name.startswith("response")]
    assert names == ["response.start", "response.end"] * (len(names) // 2)


@pytest.mark.row("E5", "T9")
def test_a_turn_with_a_client_tool_is_a_pair_for_each_stream(chat: Opener) -> None:
    page = chat("{ onClientTool: async () => ({}) }")
    page.send("tool twice 2")
    page.until(lambda: len(page.events("chatkit.response.end")) == 3, "three responses")
    names = [name for name in page.names() if name.startswith("response")]
    assert names == ["response.start", "response.end"] * 3


@pytest.mark.row("E6")
def test_the_history_opens_and_closes(chat: Opener) -> None:
    page = chat()
    page.button("History").click()
    page.until(lambda: page.events("chatkit.history.open"), "chatkit.history.open")
    page.page.keyboard.press("Escape")
    page.until(lambda: page.events("chatkit.history.close"), "chatkit.history.close")
    assert page.names("ready") == ["history.open", "history.close"]


@pytest.mark.row("E7", "E8", "Tg")
def test_opening_a_thread_from_the_history(chat: Opener) -> None:
    page = chat()
    page.ask("title Harbour")
    thread = page.thread_id()
    page.button("New chat").click()
    page.until(lambda: page.events("chatkit.thread.change")[-1] == {"threadId": None}, "a new thread")
    page.button("History").click()
    page.row("Harbour").click()
    page.until(lambda: page.events("chatkit.thread.load.end"), "the thread")
    assert page.events("chatkit.thread.load.start") == [{"threadId": thread}]
    assert page.events("chatkit.thread.load.end") == [{"threadId": thread}]
    assert page.events("chatkit.thread.change")[-1] == {"threadId": thread}
    names = page.names()
    assert names.index("thread.load.start") < names.index("thread.load.end")


@pytest.mark.row("E9")
def test_the_tool_changes(chat: Opener) -> None:
    page = chat('{ composer: { tools: [{ id: "draw", label: "Draw", icon: "star", pinned: true }] } }')
    page.button("Tool: Draw").click()
    page.until(lambda: len(page.events("chatkit.tool.change")) == 1, "the choice")
    page.button("Tool: Draw").click()
    page.until(lambda: len(page.events("chatkit.tool.change")) == 2, "the choice undone")
    assert page.events("chatkit.tool.change") == [{"toolId": "draw"}, {"toolId": None}]


@pytest.mark.row("E10")
def test_diagnostics_name_what_happened_and_hold_nobodys_words(chat: Opener) -> None:
    page = chat("""{ threadItemActions: { feedback: true }, onClientTool: () => ({ planted: "canary-result" }),
      entities: { onTagSearch: async () => [{ id: "e", title: "canary-entity" }] } }""")
    page.ask("echo canary-text")
    page.button("Good answer").click()
    page.type("@x")
    page.element.get_by_role("option").first.click()
    page.composer.press("Enter")
    page.idle()
    page.ask("tool canary 1")
    names = {entry["name"] for entry in page.events("chatkit.log")}
    assert {"composer.submit", "message.feedback"} <= names
    assert "canary-" not in json.dumps(page.events("chatkit.log"))
