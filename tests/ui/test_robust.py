"""Whatever happens to connections, servers, tabs and events: no answer is lost, none is shown twice."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.harness.chatpage import ChatPage, expect, text_of
from tests.harness.client import Chat
from tests.harness.proxy import Proxy, proxied
from tests.harness.server import ProcessServer
from tests.ui.conftest import Opener, Stage
from tests.ui.scripted import Scripted, done, said

pytestmark = pytest.mark.slow

NETWORK = "console: Failed to load resource"
POINTS = 50
TABS = 5
CUTS = 5
"""Of one tab's answer, at most: a request whose every answer is lost is given up at the sixth."""
NUMBERS = 200
MOST_CONNECTIONS = 6
"""Of a browser to one host over HTTP/1.1."""


@pytest.fixture
def proxy(stage: Stage) -> Iterator[Proxy]:
    with proxied(stage.server.url) as running:
        yield running


@pytest.fixture
def proxies(stage: Stage) -> Iterator[list[Proxy]]:
    """One for each tab."""
    with ExitStack() as stack:
        yield [stack.enter_context(proxied(stage.server.url)) for _ in range(TABS)]


def counted(last: int) -> str:
    return " ".join(str(n) for n in range(1, last + 1))


def has_ended(page: ChatPage, responses: int) -> bool:
    try_now(page)
    return len(page.events("chatkit.response.end")) == responses


def try_now(page: ChatPage) -> None:
    """End the wait before the next try, as a browser does that is online again."""
    page.page.evaluate("() => dispatchEvent(new Event('online'))")


def stored_text(client: Chat, thread_id: str) -> list[str]:
    """What the server keeps of each answer."""
    answers = [item for item in client.items(thread_id) if item["type"] == "assistant_message"]
    return ["".join(part["text"] for part in item["content"]) for item in answers]


def shown_text(page: ChatPage) -> list[str]:
    """What is on the screen of each answer."""
    return [" ".join(text.split()) for text in page.answers.all_text_contents()]


@pytest.mark.row("N1", "E5")
def test_a_connection_that_breaks_anywhere_loses_and_repeats_nothing(chat: Opener, proxies: list[Proxy]) -> None:
    tabs = [chat(user=f"cut_{n}", server=proxy.url) for n, proxy in enumerate(proxies)]
    points = random.Random(20261124)
    rounds = 0
    while sum(proxy.cuts for proxy in proxies) < POINTS:
        rounds += 1
        for proxy in proxies:
            proxy.cut_streams(*(points.randrange(0, 6_000) for _ in range(CUTS)))
        for page in tabs:
            page.forgive(NETWORK, "console:.*net::ERR")
            page.send(f"count {NUMBERS} 2ms")
        for page in tabs:
            page.until(partial(has_ended, page, rounds), "the end of the response", 60)
            expect(page.answers).to_have_count(rounds)
            expect(page.answer).to_have_text(counted(NUMBERS))
        assert rounds <= POINTS
    for n, page in enumerate(tabs):
        client = chat.stage.server.backend.chat(f"cut_{n}", "wf_showcase")
        assert stored_text(client, page.thread_id()) == [counted(NUMBERS)] * rounds
        assert shown_text(page) == [counted(NUMBERS)] * rounds
        expect(page.questions).to_have_count(rounds)
        names = [name for name in page.names() if name.startswith("response")]
        assert names == ["response.start", "response.end"] * rounds


@pytest.mark.row("N1")
def test_an_answer_that_never_came_back_does_not_send_the_message_twice(chat: Opener, proxy: Proxy) -> None:
    page = chat(user="lost", server=proxy.url)
    page.forgive(NETWORK, "console:.*net::ERR")
    page.ask("echo before")
    proxy.lose_answers(2)
    expect(page.ask(f"count {NUMBERS} 1ms")).to_contain_text(counted(NUMBERS))
    client = chat.stage.server.backend.chat("lost", "wf_showcase")
    items = [item["type"] for item in client.items(page.thread_id())]
    assert items == ["user_message", "assistant_message"] * 2
    expect(page.questions).to_have_count(2)
    assert proxy.cuts == 2


@pytest.mark.row("N1", "T12")
def test_a_server_that_takes_no_connections_costs_no_message(chat: Opener, proxy: Proxy) -> None:
    page = chat(server=proxy.url)
    page.forgive(NETWORK, "console:.*net::ERR", "error:")
    page.ask("echo before")
    proxy.refuse()
    page.send("echo kept")

    def is_given_up() -> bool:
        try_now(page)
        return page.call("getComposerValue")["text"] == "echo kept" or has_retry(page)

    page.until(is_given_up, "a sign of the failure", 60)
    proxy.refuse(False)
    if page.call("getComposerValue")["text"]:
        page.composer.press("Enter")
    else:
        page.log.get_by_role("button", name="Try again").click()
    expect(page.answer).to_have_text("kept")
    expect(page.questions).to_have_count(2)


@pytest.mark.row("N1")
def test_a_stream_that_stands_still_for_a_while_goes_on(chat: Opener, proxy: Proxy) -> None:
    page = chat(server=proxy.url)
    page.send("count 800 5ms")
    expect(page.answer).to_contain_text("1 2 3")
    proxy.pause()
    page.composer.fill("written meanwhile")
    assert text_of(page.answer) != counted(800)
    proxy.resume()
    page.idle()
    expect(page.answer).to_have_text(counted(800))
    assert page.call("getComposerValue")["text"] == "written meanwhile"


@pytest.mark.row("N2")
def test_a_server_that_is_killed_and_started_again(chat: Opener, tmp_path: Path) -> None:
    stage = chat.stage
    server = ProcessServer(tmp_path, environment={"CHATDOCK_ALLOWED_ORIGINS": stage.origin, "CHATDOCK_LEASE": "1"})
    with server, ExitStack() as after:
        mine, stage.pages.backend = stage.pages.backend, server.backend
        after.callback(setattr, stage.pages, "backend", mine)
        page = chat(user="killed", server=server.url)
        page.forgive(NETWORK, "console:.*net::ERR", "error:")
        page.ask("echo before")
        page.send("count 2000 5ms")
        expect(page.answer).to_contain_text("10 11 12")
        server.kill()
        server.start()
        page.until(partial(has_ended, page, 2), "the end of the response")
        client = server.backend.chat("killed", "wf_showcase")
        stored = stored_text(client, page.thread_id())
        page.until(lambda: shown_text(page) == stored, "what the server kept", 30)
        assert counted(2000).startswith(stored[1])
        expect(page.log.get_by_role("button", name="Try again").first).to_be_visible()
        expect(page.ask("echo after")).to_have_text("after")


@pytest.mark.row("N3")
def test_a_reload_in_the_middle_of_an_answer_joins_it(chat: Opener) -> None:
    page = chat(user="reloader")
    page.send("count 300 8ms")
    expect(page.answer).to_contain_text("5 6 7")
    again = chat(f"{{ initialThread: '{page.thread_id()}' }}", user="reloader")
    expect(again.answer).to_contain_text("5 6 7")
    expect(again.button("Stop")).to_be_visible()
    for each in (again, page):
        each.idle()
        expect(each.button("Send")).to_be_visible()
        assert shown_text(each) == [counted(300)]
    assert [name for name in again.names() if name.startswith("response")] == ["response.start", "response.end"]


@pytest.mark.row("N4")
def test_a_second_tab_follows_the_same_answer_and_may_stop_it(chat: Opener) -> None:
    page = chat(user="tabs")
    page.send("hang")
    expect(page.answer).to_contain_text("Waiting")
    other = chat(f"{{ initialThread: '{page.thread_id()}' }}", user="tabs", beside=page)
    expect(other.answer).to_contain_text("Waiting")
    other.button("Stop").click()
    for each in (page, other):
        each.idle()
        expect(each.button("Send")).to_be_visible()
    assert shown_text(page) == shown_text(other)


@pytest.mark.row("N4")
def test_tabs_that_wait_for_nothing_hold_no_connection(chat: Opener, stage: Stage) -> None:
    # A browser has as many connections over all tabs: an idle tab that held one would stop the last of them.
    tabs = [chat(user="many tabs")]
    tabs += [chat(user="many tabs", beside=tabs[0]) for _ in range(MOST_CONNECTIONS)]
    for tab in tabs:
        tab.send("count 3")
        tab.idle()
        assert shown_text(tab) == [counted(3)]
    assert not stage.server.world.turns._log._followers


@pytest.mark.row("N5")
def test_offline_is_said_and_the_answer_is_whole_afterwards(chat: Opener, proxy: Proxy) -> None:
    page = chat(user="offline", server=proxy.url)
    page.forgive(NETWORK, "console:.*net::ERR")
    page.send("count 300 8ms")
    expect(page.answer).to_contain_text("5 6 7")
    page.page.context.set_offline(True)
    proxy.refuse()
    expect(page.element.get_by_text("You are offline.").first).to_be_visible()
    proxy.refuse(False)
    page.page.context.set_offline(False)
    page.idle()
    assert shown_text(page) == [counted(300)]
    expect(page.element.get_by_text("You are offline.").first).to_be_hidden()


@pytest.mark.row("N1")
def test_leaving_a_thread_while_it_answers_and_coming_back(chat: Opener) -> None:
    page = chat()
    page.send("count 300 4ms")
    expect(page.answer).to_contain_text("5 6 7")
    thread = page.thread_id()
    page.button("New chat").click()
    expect(page.ask("echo elsewhere")).to_have_text("elsewhere")
    page.call("setThreadId", thread)
    page.until(lambda: shown_text(page) == [counted(300)], "the whole answer")
    page.idle()


# --- events that no proper server sends ------------------------------------------------------------------------------


STRANGE: dict[str, list[dict[str, Any] | bytes]] = {
    "no JSON": [b"data: {not json}\n\n"],
    "not an object": [b"data: 42\n\n", b"data: null\n\n", b'data: "text"\n\n', b"data: []\n\n"],
    "no type": [{"item": {}}],
    "unknown event": [{"type": "thread.item.teleported", "item_id": "msg_answer"}],
    "unknown update": [{"type": "thread.item.updated", "item_id": "msg_user", "update": {"type": "sparkle"}}],
    "unknown item": [done({"id": "x1", "type": "hologram", "content": "?"})],
    "an update of nothing": [
        {
            "type": "thread.item.updated",
            "item_id": "nowhere",
            "update": {"type": "assistant_message.content_part.text_delta", "content_index": 0, "delta": "lost"},
        }
    ],
    "wrong types": [
        {"type": "thread.item.done", "item": None},
        {"type": "thread.item.done", "item": {"id": 7, "type": "assistant_message", "content": "text"}},
        {"type": "thread.item.added", "item": {"type": "assistant_message"}},
        {"type": "thread.item.updated", "item_id": "msg_user", "update": None},
        {"type": "thread.updated", "thread": "?"},
        {"type": "stream_options", "stream_options": 5},
        {"type": "progress_update"},
        {"type": "notice"},
        {"type": "client_effect"},
    ],
    "broken items": [
        done({"id": "w1", "type": "widget", "widget": {"type": "Card", "children": 5}}),
        done({"id": "w2", "type": "widget", "widget": None}),
        done({"id": "w3", "type": "workflow", "workflow": {"type": "custom", "tasks": [None, {"type": "?"}]}}),
        done({"id": "w4", "type": "task", "task": None}),
        done({"id": "w5", "type": "generated_image", "image": {"id": "i"}}),
        done({"id": "w6", "type": "structured_input", "status": "answered", "inputs": [None]}),
        done({"id": "w7", "type": "assistant_message", "content": [None, {"type": "?"}, {"type": "output_text"}]}),
        done(
            {
                "id": "w8",
                "type": "assistant_message",
                "content": [
                    {"type": "output_text", "text": "noted", "annotations": [None, {}, {"source": {"type": "?"}}]}
                ],
            }
        ),
    ],
    "removed twice": [{"type": "thread.item.removed", "item_id": "msg_none"}] * 2,
    "comments and fields": [b": hello\n\n", b"event: x\nretry: 5\nfoo: bar\n\n", b"\n\n\n", b"data:\n\n"],
    "cut lines": [
        b"data: " + json.dumps(said("in pieces", "cut"))[:30].encode(),
        json.dumps(said("in pieces", "cut"))[30:].encode(),
        b"\r\n\r\n",
    ],
    "a nul": [said("with \x00 inside", "nul")],
}


@pytest.mark.row("N6")
@pytest.mark.parametrize("name", STRANGE)
def test_what_makes_no_sense_is_left_out_and_the_rest_is_shown(scene: Opener, script: Scripted, name: str) -> None:
    script.say(said("Before.", "first"), *STRANGE[name], said("After."))
    page = scene("{ api: { url: '/chatkit', domainKey: 'x' } }")
    page.ask("hello")
    for text in ("Before.", "After."):
        expect(page.log.get_by_text(text)).to_be_visible()
    expect(page.questions).to_have_count(1)
    page.composer.fill("still writing")


@pytest.mark.row("N6", "E10")
def test_what_is_left_out_is_told_in_the_log_event(scene: Opener, script: Scripted) -> None:
    script.say({"type": "thread.item.teleported"}, b"data: {no\n\n", said("After."))
    page = scene("{ api: { url: '/chatkit', domainKey: 'x' } }")
    page.ask("hello")
    skipped = [entry["data"]["type"] for entry in page.events("chatkit.log") if entry["name"] == "protocol.skipped"]
    assert skipped == ["thread.item.teleported", "unreadable"]


@pytest.mark.row("N7", "E2")
def test_callbacks_of_the_page_that_throw_are_errors_and_the_chat_goes_on(chat: Opener) -> None:
    page = chat("""{
      entities: { onTagSearch: () => { throw new Error("search broke"); } },
      commands: { enabled: true, onSearch: async () => { throw new Error("command broke"); } },
      header: { leftAction: { icon: "star", onClick: () => { throw new Error("header broke"); } } },
      widgets: { onAction: async () => { throw new Error("action broke"); } },
    }""")
    page.forgive("broke")
    page.element.locator("[part~='header']").get_by_role("button", name="Star").click()
    page.ask("actions")
    page.log.get_by_role("button", name="Client").click()
    for text, message in (("@a", "search broke"), ("/a", "command broke")):
        page.type(text)
        await_error(page, message)
        page.composer.fill("")
    await_error(page, "header broke")
    await_error(page, "action broke")
    expect(page.ask("echo fine")).to_have_text("fine")


def await_error(page: ChatPage, message: str) -> None:
    def told() -> bool:
        return any(message in detail["error"]["message"] for detail in page.events("chatkit.error"))

    page.until(told, message)


def has_retry(page: ChatPage) -> bool:
    return page.log.get_by_role("button", name="Try again").count() > 0
