"""The demo page in a real browser, against a real server."""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest
from chatkit.types import ProgressUpdateEvent
from playwright.sync_api import Browser, BrowserContext, Page, expect

from chatdock import Turn, workflow
from chatdock.model.pull import pull
from chatdock.workflows.showcase import showcase
from tests.harness.browser import chromium
from tests.harness.chatpage import ChatPage
from tests.harness.server import ProcessServer, serving

pytestmark = pytest.mark.slow

ANSWER_SECONDS = 60


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(20_000)
    yield context
    context.close()


@workflow("wf_echo")
async def echo(turn: Turn) -> AsyncIterator[str]:
    yield f"You wrote: {turn.text}"


def visit(context: BrowserContext, url: str, path: str = "/") -> ChatPage:
    chat = ChatPage(context.new_page(), url)
    chat.page.goto(url + path)
    return chat.ready()


def wire(page: Page, kind: str) -> list[str]:
    """The types in the panel that were `sent` or `received`."""
    return page.locator(f".wire-{kind} .wire-type").all_inner_texts()


def test_somebody_chats_with_the_embedded_model_through_the_page(tmp_path: Path, context: BrowserContext) -> None:
    pull(progress=False)
    environment = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}
    with ProcessServer(tmp_path, "--demo", environment=environment) as server:
        chat = visit(context, server.url)
        chat.send("Say hello.")
        expect(chat.answer).to_contain_text(re.compile(r"\w+"), timeout=ANSWER_SECONDS * 1000)
        chat.until(lambda: chat.events("chatkit.response.end"), "the end of the answer", seconds=ANSWER_SECONDS)
        said = chat.answer.inner_text()
        chat.page.reload()
        chat.ready()
        expect(chat.answer).to_contain_text(said.strip().split("\n")[-1])
        chat.button("History").click()
        expect(chat.element).to_contain_text("Say hello.")
        assert chat.reckoning() == []


def test_the_address_keeps_the_thread_and_a_reload_joins_its_answer(tmp_path: Path, context: BrowserContext) -> None:
    go_on = threading.Event()

    @workflow("wf_slow")
    async def slow(turn: Turn) -> AsyncIterator[str]:
        yield "The beginning"
        while not go_on.is_set():
            await anyio.sleep(0.01)
        yield " and the end."

    with serving(tmp_path, [slow], demo=True) as server:
        chat = visit(context, server.url)
        chat.send("go")
        expect(chat.answer).to_contain_text("The beginning")
        assert re.search(r"#cthr_\w+$", chat.page.url)
        chat.page.reload()
        chat.ready()
        expect(chat.answer).to_contain_text("The beginning")
        go_on.set()
        expect(chat.answer).to_contain_text("The beginning and the end.")
        assert chat.answers.count() == 1
        assert chat.reckoning() == []


def test_the_panel_shows_what_goes_over_the_wire(tmp_path: Path, context: BrowserContext) -> None:
    with serving(tmp_path, [echo], demo=True) as server:
        chat = visit(context, server.url)
        chat.ask("<b>hello</b>")
        page = chat.page
        expect(page.locator(".wire-received .wire-type").get_by_text(": completed")).to_be_visible()
        assert wire(page, "sent")[:2] == ["POST /demo/session", "threads.create"]
        received = wire(page, "received")
        for event in ["200 POST /demo/session", "thread.created", "assistant_message.content_part.text_delta"]:
            assert event in received
        page.locator(".wire-sent summary", has_text="threads.create").click()
        expect(page.locator(".wire-sent .wire-body")).to_contain_text('"text": "<b>hello</b>"')
        page.locator(".wire-received summary", has_text="200 POST /demo/session").click()
        expect(page.locator(".wire-received .wire-body").first).to_contain_text('"client_secret": "ek_')
        assert not re.search(r"ek_[0-9a-f]{8}", page.locator("#panel").inner_text())
        page.get_by_label("Filter by type").fill("thread.created")
        assert [row.inner_text() for row in page.locator(".wire-type").all() if row.is_visible()] == ["thread.created"]
        page.get_by_role("button", name="Clear").click()
        expect(page.locator(".wire-row")).to_have_count(0)
        assert chat.reckoning() == []


def test_the_panel_keeps_the_newest_five_hundred_rows(tmp_path: Path, context: BrowserContext) -> None:
    @workflow("wf_busy")
    async def busy(turn: Turn) -> AsyncIterator[ProgressUpdateEvent]:
        for n in range(600):
            yield ProgressUpdateEvent(text=f"step {n}")

    with serving(tmp_path, [busy], demo=True) as server:
        chat = visit(context, server.url)
        chat.ask("go")
        rows = chat.page.locator(".wire-row")
        expect(rows).to_have_count(500)
        expect(rows.filter(has_text=": completed")).to_have_count(1)
        newest = rows.filter(has_text="progress_update").last
        newest.locator("summary").click()
        expect(newest).to_contain_text("step 599")
        assert chat.reckoning() == []


def test_listening_in_leaves_the_stop_button_its_effect(tmp_path: Path, context: BrowserContext) -> None:
    @workflow("wf_endless")
    async def endless(turn: Turn) -> AsyncIterator[str]:
        yield "Kept."
        await anyio.sleep_forever()

    with serving(tmp_path, [endless], demo=True) as server:
        chat = visit(context, server.url)
        chat.send("go")
        expect(chat.answer).to_contain_text("Kept.")
        chat.button("Stop").click()
        chat.idle()
        chat.page.reload()
        chat.ready()
        expect(chat.answer).to_contain_text("Kept.")
        expect(chat.button("Stop")).to_have_count(0)
        assert chat.reckoning() == []


def test_what_is_chosen_shows_at_once_and_stays_in_the_address(tmp_path: Path, context: BrowserContext) -> None:
    with serving(tmp_path, [echo], demo=True) as server:
        chat = visit(context, server.url)
        page = chat.page
        page.get_by_role("tab", name="Look").click()
        for name in ["Dark", "Sharp", "Compact", "18"]:
            page.locator("#look label", has_text=re.compile(f"^{name}$")).click()
        page.locator("#look").get_by_label("Violet").check()
        look = """() => {
          const surface = document.querySelector("openai-chatkit").shadowRoot.querySelector(".ck");
          const style = getComputedStyle(surface);
          return [surface.dataset.scheme, style.getPropertyValue("--ck-radius-composer"), style.fontSize];
        }"""
        chat.until(lambda: page.evaluate(look)[0] == "dark", "the dark scheme")
        chosen = page.evaluate(look)
        assert chosen[2] == "18px"
        page.get_by_role("tab", name="Code").click()
        code = page.locator("#snippet").inner_text()
        for line in ['colorScheme: "dark"', 'radius: "sharp"', 'density: "compact"', "baseSize: 18", "#7c3aed"]:
            assert line in code
        assert f'<script src="{server.url}/deployments/chatkit/chatkit.js">' in code
        page.reload()
        chat.ready()
        assert page.evaluate(look) == chosen
        assert chat.reckoning() == []


def test_another_workflow_is_a_choice_away_and_stays(tmp_path: Path, context: BrowserContext) -> None:
    with serving(tmp_path, [echo, showcase], demo=True) as server:
        chat = visit(context, server.url)
        chat.page.get_by_label("Workflow").select_option("wf_showcase")
        chat.page.wait_for_url("**/?workflow=wf_showcase")
        chat.ready()
        chat.element.get_by_role("button", name="All commands").click()
        expect(chat.answer).to_contain_text("I am the showcase")
        chat.page.reload()
        chat.ready()
        expect(chat.page.get_by_label("Workflow")).to_have_value("wf_showcase")
        assert chat.reckoning() == []


def test_a_link_to_a_workflow_that_is_gone_leads_to_one_that_is_there(tmp_path: Path, context: BrowserContext) -> None:
    with serving(tmp_path, [echo], demo=True) as server:
        chat = visit(context, server.url, "/?workflow=wf_gone")
        expect(chat.page.get_by_label("Workflow")).to_have_value("wf_echo")
        expect(chat.ask("still there?")).to_contain_text("You wrote: still there?")
        chat.forgive("404")
        assert chat.reckoning() == []


def test_the_panel_is_behind_a_button_where_there_is_no_room(tmp_path: Path, context: BrowserContext) -> None:
    with serving(tmp_path, [echo], demo=True) as server:
        chat = visit(context, server.url)
        page = chat.page
        expect(page.locator("#panel")).to_be_visible()
        page.set_viewport_size({"width": 390, "height": 780})
        expect(page.locator("#panel")).to_be_hidden()
        page.get_by_role("button", name="Under the hood").click()
        expect(page.locator("#panel")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#panel")).to_be_hidden()
        expect(page.get_by_role("button", name="Under the hood")).to_be_focused()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert chat.reckoning() == []


def test_the_page_shows_what_the_showcase_can_do(tmp_path: Path, context: BrowserContext) -> None:
    with serving(tmp_path, [showcase], demo=True) as server:
        chat = visit(context, server.url)
        for command in ["workflow 0ms", "task", "widget", "input", "image 0ms", "notice warning", "error custom retry"]:
            chat.ask(command)
            if chat.button("New chat").count():
                chat.button("New chat").click()
        chat.ask("hostile")
        assert chat.page.evaluate("window.__hostile") is None
        chat.forgive("An error that the workflow raised")
        assert chat.reckoning() == []


def test_the_chat_alone_takes_its_look_from_the_query(tmp_path: Path, context: BrowserContext) -> None:
    with serving(tmp_path, [echo, showcase], demo=True) as server:
        chat = visit(context, server.url, "/embed?workflow=wf_showcase&theme=dark")
        expect(chat.ask("whoami")).to_be_visible()
        assert chat.page.evaluate("document.documentElement.dataset.scheme") == "dark"
        assert chat.page.locator("#panel").count() == 0
        assert chat.reckoning() == []


def test_the_chat_alone_may_be_framed_by_allowed_origins_only(tmp_path: Path) -> None:
    with serving(tmp_path, [echo], demo=True, allowed_origins=("https://app.example.com",)) as server:
        policy = server.backend.http.get("/embed").headers["content-security-policy"]
        assert policy.endswith("frame-ancestors 'self' https://app.example.com")
        policy = server.backend.http.get("/").headers["content-security-policy"]
        assert policy.endswith("frame-ancestors 'none'")


def test_without_demo_there_is_neither_page_nor_anonymous_session(tmp_path: Path) -> None:
    with serving(tmp_path, [showcase]) as server:
        http = server.backend.http
        for path in ["/", "/embed", "/demo/page.js"]:
            assert http.get(path).status_code == 404
        assert http.post("/demo/session", json={}).status_code == 404
