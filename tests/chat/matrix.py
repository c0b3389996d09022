"""Who may do what: every door of the application, every caller, and the answer that each gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.harness.client import message

Json = dict[str, Any]


@dataclass(frozen=True)
class Targets:
    """A user's belongings that callers aim at."""

    session: str
    thread: str
    message: str
    widget: str
    form: str


CALLERS = ["owner", "other_user", "other_project", "expired", "cancelled", "none", "wrong_kind"]
"""`wrong_kind` is the owner's client secret at the back end's doors, and an API key at the browser's."""


@dataclass(frozen=True)
class Row:
    """One door: the request that aims at the targets, and the status for each caller.

    `owner` is the status that the owner gets, and `foreign` that of everybody who is somebody else; whoever is nobody
    gets 401. At the back end's doors a key opens its project, whichever user it is about.
    """

    params: Callable[[Targets], Json]
    owner: int = 200
    foreign: int = 404

    def expected(self, caller: str, *, rest: bool = False) -> int:
        """The status that the caller must get."""
        if caller == "owner":
            return self.owner
        if caller == "other_user" and rest:
            return self.owner
        return self.foreign if caller in {"other_user", "other_project"} else 401


def own(**params: Any) -> Callable[[Targets], Json]:
    """Parameters that name nothing of anybody's."""
    return lambda _targets: params


ACTION = {"type": "go", "payload": {}}
SAID = {"input": message("hello")}

OPERATIONS: dict[str, Row] = {
    "threads.create": Row(own(**SAID), foreign=200),
    "threads.list": Row(own(), foreign=200),
    "threads.add_user_message": Row(lambda t: {"thread_id": t.thread, **SAID}),
    "threads.add_client_tool_output": Row(lambda t: {"thread_id": t.thread, "result": 1}),
    "threads.add_structured_input": Row(lambda t: {"thread_id": t.thread, "item_id": t.form, "input": {}}),
    "threads.retry_after_item": Row(lambda t: {"thread_id": t.thread, "item_id": t.message}),
    "threads.custom_action": Row(lambda t: {"thread_id": t.thread, "item_id": t.widget, "action": ACTION}),
    "threads.sync_custom_action": Row(lambda t: {"thread_id": t.thread, "item_id": t.widget, "action": ACTION}),
    "threads.resume": Row(lambda t: {"thread_id": t.thread}, owner=404),
    "threads.cancel": Row(lambda t: {"thread_id": t.thread}),
    "threads.get_by_id": Row(lambda t: {"thread_id": t.thread}),
    "threads.update": Row(lambda t: {"thread_id": t.thread, "title": "renamed"}),
    "threads.delete": Row(lambda t: {"thread_id": t.thread}),
    "items.list": Row(lambda t: {"thread_id": t.thread}),
    "items.feedback": Row(lambda t: {"thread_id": t.thread, "item_ids": [t.message], "kind": "positive"}),
    "attachments.create": Row(own(name="a", size=1, mime_type="text/plain"), owner=400, foreign=400),
    "attachments.delete": Row(own(attachment_id="cfile_1"), owner=400, foreign=400),
    "input.transcribe": Row(own(audio_base64="aGk=", mime_type="audio/webm"), foreign=200),
}
"""Operations of the conversation endpoint. An owner resumes nothing here: the thread is at rest."""

ROUTES: dict[tuple[str, str], Row] = {
    ("post", "/v1/chatkit/sessions"): Row(
        lambda _: {"json": {"user": "somebody", "workflow": {"id": "wf_test"}}}, foreign=200
    ),
    ("post", "/v1/chatkit/sessions/{session_id}/cancel"): Row(lambda t: {"session_id": t.session}),
    ("get", "/v1/chatkit/threads"): Row(lambda _: {}, foreign=200),
    ("get", "/v1/chatkit/threads/{thread_id}"): Row(lambda t: {"thread_id": t.thread}),
    ("delete", "/v1/chatkit/threads/{thread_id}"): Row(lambda t: {"thread_id": t.thread}),
    ("get", "/v1/chatkit/threads/{thread_id}/items"): Row(lambda t: {"thread_id": t.thread}),
}
"""The back end's routes."""
