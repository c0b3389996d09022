"""Headers that the operator names reach whatever answers; no other header does, and none reaches a log."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from chatkit.server import ChatKitServer
from chatkit.types import ThreadMetadata, UserMessageItem
from pydantic import ValidationError

from chatdock import Turn, workflow
from chatdock.settings import Settings
from tests.chat.shapes import Script, passed
from tests.chatkit_server.shapes import Events, says
from tests.harness.client import CANARY, ApiFailure, message
from tests.harness.server import ThreadServer, eventually, serving

ALLOWED = ("X-Tenant", "x-source")
SENT: dict[str, Any] = {"x-tenant": "harbour", "X-SOURCE": "café".encode("latin-1"), "x-other": "no", "cookie": "no=1"}
READ = {"x-tenant": "harbour", "x-source": "café"}


class Heard:
    """What a workflow read, in every way in which it is called."""

    def __init__(self) -> None:
        self.headers: list[Any] = []
        self.workflow = workflow("wf_test")(self.answer)
        self.workflow.action(self.answer)
        self.workflow.sync_action(self.act)

    async def answer(self, turn: Turn) -> Script:
        self.headers.append(dict(turn.headers))
        assert "harbour" not in repr(turn)
        if turn.text == "fail":
            raise RuntimeError(f"no {turn!r}")
        yield "ok"

    async def act(self, turn: Turn) -> None:
        self.headers.append(dict(turn.headers))


@pytest.fixture(scope="module")
def heard() -> Heard:
    return Heard()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, heard: Heard) -> Iterator[ThreadServer]:
    origins = ("https://app.example.com",)
    folder = tmp_path_factory.mktemp("headers")
    with serving(folder, [heard.workflow], turn_headers=ALLOWED, allowed_origins=origins) as running:
        yield running


def test_the_headers_that_are_allowed_reach_the_workflow_and_no_others(server: ThreadServer, heard: Heard) -> None:
    heard.headers.clear()
    chat = server.backend.chat()
    thread_id = chat.create(headers=SENT).thread_id
    chat.send(thread_id)
    action = {"type": "go", "payload": {}}
    chat.stream("threads.custom_action", headers=SENT, thread_id=thread_id, action=action)
    chat.post("threads.sync_custom_action", {"thread_id": thread_id, "action": action}, headers=SENT)
    assert heard.headers == [READ, {}, READ, READ]


def test_a_header_that_came_twice_is_one_list(server: ThreadServer, heard: Heard) -> None:
    heard.headers.clear()
    chat = server.backend.chat()
    body = {"type": "threads.create", "params": {"input": message("hello")}}
    pairs = [("x-source", "a"), ("x-source", "b"), ("authorization", f"Bearer {chat.secret}")]
    assert httpx.post(f"{server.url}/v1/chatkit/conversation", json=body, headers=pairs, verify=False).is_success
    assert heard.headers == [{"x-source": "a, b"}]


def test_headers_beyond_the_bound_are_refused_before_anything_is_stored(server: ThreadServer) -> None:
    chat = server.backend.chat("large")
    fits = 4096 - len("x-tenant")
    assert chat.create(headers={"x-tenant": "x" * fits}).outcome == "completed"
    with pytest.raises(ApiFailure) as failure:
        chat.create(headers={"x-tenant": "x" * (fits + 1)})
    assert (failure.value.status, failure.value.error["code"]) == (400, "headers_too_large")
    assert "x-tenant have 4097 bytes together; at most 4096" in failure.value.error["message"]
    assert len(server.backend.get("threads", user="large")["data"]) == 1


def test_a_page_of_an_allowed_origin_may_send_them(server: ThreadServer) -> None:
    asked = {
        "origin": "https://app.example.com",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-tenant,x-source",
    }
    url = f"{server.url}/v1/chatkit/conversation"
    assert httpx.options(url, headers=asked, verify=False).status_code == 200
    asked["access-control-request-headers"] = "x-other"
    assert httpx.options(url, headers=asked, verify=False).status_code == 400


def test_no_header_reaches_a_log_or_a_client(server: ThreadServer, capfd: pytest.CaptureFixture[str]) -> None:
    chat = server.backend.chat()
    turn = chat.create("fail", headers={"x-tenant": CANARY})
    assert turn.outcome == "failed"
    with pytest.raises(ApiFailure):
        chat.create(headers={"x-tenant": CANARY * 500})
    written = "".join(capfd.readouterr())
    assert "workflow_failed" in written
    assert CANARY not in written


def test_a_message_that_waits_keeps_its_headers_over_a_restart(tmp_path: Path) -> None:
    gate, headers = threading.Event(), list[Any]()

    async def slow(turn: Turn) -> Script:
        if turn.text == "first":
            yield "begun"
            await passed(gate)
        headers.append(dict(turn.headers))
        yield "ok"

    answers = workflow("wf_test")(slow)
    options: dict[str, Any] = {"multitask_strategy": "enqueue", "turn_headers": ALLOWED, "drain_timeout": 0}
    with serving(tmp_path, [answers], **options) as server:
        chat = server.backend.chat()
        with chat.open("threads.create", {"input": message("first")}) as frames:
            thread_id = next(frame.event["thread"]["id"] for frame in frames if frame.event)
            second = {"thread_id": thread_id, "input": message("second")}
            with chat.open("threads.add_user_message", second, headers=SENT) as waiting:
                next(waiting)
    with serving(tmp_path, [answers], **options):
        eventually(lambda: READ in headers)


class Desk(ChatKitServer[dict[str, str]]):
    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: dict[str, str]
    ) -> Events:
        yield says(self, thread, context, context["tenant"])


def test_a_hosted_servers_context_is_built_from_them(tmp_path: Path) -> None:
    made = workflow("wf_test", context=lambda turn: {"tenant": turn.headers["x-tenant"]})(Desk)
    with serving(tmp_path, [made], turn_headers=ALLOWED) as server:
        turn = server.backend.chat().create(headers=SENT)
    assert turn.done("assistant_message")[0]["content"][0]["text"] == "harbour"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("x-tenant,Authorization", "'authorization' holds credentials, which are not stored"),
        ("cookie", "'cookie' holds credentials"),
        ("x tenant", "'x tenant' is not the name of a header"),
    ],
)
def test_headers_that_are_never_taken(names: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATDOCK_TURN_HEADERS", names)
    with pytest.raises(ValidationError, match=message):
        Settings()
