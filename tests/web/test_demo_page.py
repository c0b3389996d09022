"""The demo page in a real browser, against a real server."""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest
from playwright.sync_api import Browser, Page, expect

from chatdock import Turn, workflow
from chatdock.model.pull import pull
from chatdock.workflows.showcase import showcase
from tests.harness.browser import Watched, chromium
from tests.harness.server import ProcessServer, serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    context = browser.new_context()
    context.set_default_timeout(20_000)
    yield Watched(context.new_page())
    context.close()


def send(page: Page, text: str) -> None:
    page.fill("#composer", text)
    page.press("#composer", "Enter")


def test_somebody_chats_with_the_embedded_model_through_the_page(tmp_path: Path, watched: Watched) -> None:
    pull(progress=False)
    environment = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}
    with ProcessServer(tmp_path, "--demo", environment=environment) as server:
        page = watched.page
        page.goto(server.url)
        send(page, "Say hello.")
        answer = page.locator("[data-role=assistant] .text").first
        expect(answer).to_have_text(re.compile(r"\w+"), timeout=60_000)
        expect(page.locator("body")).to_have_attribute("data-status", "ready", timeout=60_000)
        said = answer.inner_text()
        page.reload()
        expect(page.locator("[data-role=assistant] .text").first).to_have_text(said)
        expect(page.locator("#sidebar")).to_contain_text("Say hello.")
    assert watched.complaints == []
    assert watched.hosts == {server.url.removeprefix("http://")}


def test_a_reload_in_the_middle_of_an_answer_joins_it(tmp_path: Path, watched: Watched) -> None:
    go_on = threading.Event()

    @workflow("wf_slow")
    async def slow(turn: Turn) -> AsyncIterator[str]:
        yield "The beginning"
        while not go_on.is_set():
            await anyio.sleep(0.01)
        yield " and the end."

    with serving(tmp_path, [slow], demo=True) as server:
        page = watched.page
        page.goto(server.url)
        send(page, "go")
        expect(page.locator("[data-role=assistant] .text")).to_have_text("The beginning")
        page.reload()
        expect(page.locator("[data-role=assistant] .text")).to_have_text("The beginning")
        expect(page.locator("body")).to_have_attribute("data-status", "streaming")
        go_on.set()
        expect(page.locator("[data-role=assistant] .text")).to_have_text("The beginning and the end.")
        expect(page.locator("body")).to_have_attribute("data-status", "ready")
        assert page.locator("[data-role=assistant]").count() == 1
    assert watched.complaints == []


def test_the_stop_button_keeps_what_was_said(tmp_path: Path, watched: Watched) -> None:
    @workflow("wf_endless")
    async def endless(turn: Turn) -> AsyncIterator[str]:
        yield "Kept."
        await anyio.sleep_forever()

    with serving(tmp_path, [endless], demo=True) as server:
        page = watched.page
        page.goto(server.url)
        send(page, "go")
        expect(page.locator("[data-role=assistant] .text")).to_have_text("Kept.")
        page.click("#stop")
        expect(page.locator("body")).to_have_attribute("data-status", "ready")
        page.reload()
        expect(page.locator("[data-role=assistant] .text")).to_have_text("Kept.")
    assert watched.complaints == []


def test_the_page_shows_what_the_showcase_can_do(tmp_path: Path, watched: Watched) -> None:
    with serving(tmp_path, [showcase], demo=True) as server:
        page = watched.page
        page.goto(server.url)
        for command, role in [
            ("workflow 0ms", "workflow"),
            ("task", "task"),
            ("widget", "widget"),
            ("input", "structured-input"),
            ("image 0ms", "image"),
            ("notice warning", "notice"),
            ("error custom retry", "error"),
        ]:
            page.click("#new-chat")
            send(page, command)
            expect(page.locator(f"#transcript > [data-role={role}]").first).to_be_visible()
            expect(page.locator("body")).to_have_attribute("data-status", "ready")
        page.click("#new-chat")
        send(page, "hostile")
        expect(page.locator("[data-role=assistant]").first).to_be_visible()
        expect(page.locator("body")).to_have_attribute("data-status", "ready")
        assert page.evaluate("window.__hostile") is None
    assert watched.complaints == []
    assert watched.hosts == {server.url.removeprefix("http://")}


def test_without_demo_there_is_neither_page_nor_anonymous_session(tmp_path: Path) -> None:
    with serving(tmp_path, [showcase]) as server:
        http = server.backend.http
        assert http.get("/").status_code == 404
        assert http.post("/demo/session", json={}).status_code == 404
        assert http.get("/demo/demo.js").status_code == 404
