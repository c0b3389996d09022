"""What the tests of the component share: a browser, a server and an application's pages for each file of tests."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from chatdock.workflows.showcase import showcase
from tests.harness.asgi import running
from tests.harness.browser import chromium
from tests.harness.chatpage import ChatPage
from tests.harness.pages import Pages, strict
from tests.harness.server import ThreadServer, serving
from tests.ui.reference import Reference, reference
from tests.ui.scripted import Scripted, scripted

SCRIPT = "/deployments/chatkit/chatkit.js"
FAKE_MICROPHONE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
TIMEOUT = 10_000
"""Milliseconds that a state on the screen may take."""


@dataclass
class Stage:
    """A Chatdock server, an application's pages on another origin, and a browser."""

    browser: Browser
    pages: Pages
    origin: str
    server: ThreadServer
    users: Iterator[str] = field(default_factory=lambda: (f"user_{n}" for n in itertools.count(1)))


@dataclass
class Opener:
    """Opens pages with the component; `opened` holds them."""

    stage: Stage
    contexts: ExitStack
    opened: list[ChatPage] = field(default_factory=list)

    def __call__(
        self,
        options: str = "{}",
        *,
        user: str | None = None,
        workflow: str = "wf_showcase",
        server: str | None = None,
        policy: bool = True,
        beside: ChatPage | None = None,
        members: dict[str, Any] | None = None,
        **context: Any,
    ) -> ChatPage:
        """A page that shows the component with these options (a JavaScript expression), ready to use.

        `server` is another address of the chat's server; `beside` opens a second tab of a page's context; `members`
        are those of the session; `context` is Playwright's.
        """
        stage = self.stage
        query = {"user": user or next(stage.users), "workflow": workflow, "members": json.dumps(members or {})}
        own = [stage.origin, stage.server.url, *([server] if server else [])]
        url = f"{server}/v1/chatkit/conversation" if server else None
        path = stage.pages.put_chat(options, query, url=url, policy=strict(*own) if policy else None)
        chat = self.page(*own, beside=beside, **context)
        chat.page.goto(f"{stage.origin}{path}")
        return chat.ready()

    def page(self, *own: str, beside: ChatPage | None = None, **context: Any) -> ChatPage:
        """An empty page that may ask these servers."""
        if beside is None:
            made = self.stage.browser.new_context(**context)
            made.set_default_timeout(TIMEOUT)
            self.contexts.callback(made.close)
        else:
            made = beside.page.context
        chat = ChatPage(made.new_page(), *own)
        self.opened.append(chat)
        return chat


@contextmanager
def opening(stage: Stage) -> Iterator[Opener]:
    """What opens pages; at the end none of them may have complained of anything that was not forgiven."""
    with ExitStack() as contexts:
        opener = Opener(stage, contexts)
        yield opener
        left = [line for page in opener.opened for line in page.reckoning()]
        assert left == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for the file."""
    with chromium(*FAKE_MICROPHONE) as running_browser:
        yield running_browser


@pytest.fixture(scope="module")
def stage(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Stage]:
    """A server with the showcase and the module's own `WORKFLOWS`."""
    directory: Path = tmp_path_factory.mktemp("stage")
    workflows = [showcase, *getattr(request.module, "WORKFLOWS", [])]
    pages = Pages()
    with running(pages) as origin, serving(directory, workflows, allowed_origins=(origin,)) as server:
        answer = server.backend.http.get(SCRIPT)
        assert answer.status_code == 200, "the component is not built; run: make ui"
        pages.backend = server.backend
        pages.script = f"{server.url}{SCRIPT}"
        yield Stage(browser, pages, origin, server)


@pytest.fixture
def chat(stage: Stage) -> Iterator[Opener]:
    """Opens pages that talk to Chatdock."""
    with opening(stage) as opener:
        yield opener


@pytest.fixture(scope="module")
def peer_pages(stage: Stage) -> Pages:
    """The pages that the reference server serves beside its chat."""
    return Pages(stage.pages.script)


@pytest.fixture(scope="module")
def peer(peer_pages: Pages) -> Iterator[Reference]:
    """chatkit-python's own server."""
    with reference(peer_pages) as server:
        yield server


@pytest.fixture
def custom(stage: Stage, peer_pages: Pages, peer: Reference) -> Iterator[Opener]:
    """Opens pages of the reference server; the options of a test say `api: { url: "/chatkit", … }`."""
    peer.forget()
    with opening(replace(stage, pages=peer_pages, origin=peer.url)) as opener:
        yield opener


@pytest.fixture(scope="module")
def script_pages(stage: Stage) -> Pages:
    """Pages whose server is a script."""
    return Pages(stage.pages.script)


@pytest.fixture(scope="module")
def script(script_pages: Pages) -> Iterator[Scripted]:
    """A server that says what the test says."""
    with scripted(script_pages) as server:
        yield server


@pytest.fixture
def scene(stage: Stage, script_pages: Pages, script: Scripted) -> Iterator[Opener]:
    """Opens pages in front of that server."""
    with opening(replace(stage, pages=script_pages, origin=script.url)) as opener:
        yield opener
