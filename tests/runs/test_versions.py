"""Versions of a workflow: sessions name one or get the latest, threads go on across them, a missing one says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chatdock import Turn, workflow
from chatdock.workflows.registry import Registry
from chatdock.workflows.workflow import Workflow, WorkflowError
from tests.harness.client import Chat
from tests.harness.server import ThreadServer, serving
from tests.runs.stage import Stage, text_of
from tests.runs.wire import creating, sending


def versioned(version: str | None) -> Workflow:
    """Says its version, what it knows of the thread, and how many turns there were."""

    @workflow("wf_test", version=version)
    async def answer(turn: Turn) -> AsyncIterator[str]:
        turn.state["turns"] = [*turn.state.get("turns", []), version]
        history = [text_of(item) for item in await turn.history()]
        yield f"{version} knows {history} and {turn.state['turns']}"

    return answer


def user_at(server: ThreadServer, version: str | None, user: str = "user_1") -> Chat:
    """A client whose session names this version."""
    return server.backend.chat(user, workflow_members={} if version is None else {"version": version})


def test_a_session_is_answered_by_its_version_and_without_one_by_the_last_registered(tmp_path: Path) -> None:
    registered = [versioned("3"), versioned("10"), versioned(None), versioned("2")]
    with serving(tmp_path, registered) as server:
        for version, answering in [("3", "3"), ("10", "10"), ("2", "2"), (None, "2")]:
            turn = user_at(server, version).create()
            assert turn.text.startswith(f"{answering} knows")


def test_a_thread_goes_on_with_another_version_its_history_and_state_intact(tmp_path: Path) -> None:
    with serving(tmp_path, [versioned("1"), versioned("2")]) as server:
        first = user_at(server, "1").create("one")
        assert first.text == "1 knows ['one'] and ['1']"
        second = user_at(server, "2").send(first.thread_id, "two")
        assert second.text == f"2 knows {['one', first.text, 'two']} and ['1', '2']"
        third = user_at(server, "1").send(first.thread_id, "three")
        assert third.text.endswith("and ['1', '2', '1']")


def test_a_message_that_waits_is_answered_by_the_version_of_its_session(
    tmp_path: Path, stage: Stage, text: str
) -> None:
    slow = Workflow("wf_test", stage.workflow.adapter, version="slow", allow_cancel=True)
    with serving(tmp_path, [slow, versioned("1"), versioned("2")], multitask_strategy="enqueue") as server:
        live = creating(user_at(server, "slow"), text)
        thread_id = live.wait_for(lambda turn: turn.of("stream_options")).thread_id
        waiting = [sending(user_at(server, version), thread_id, "next") for version in ("1", "2")]
        for reader in waiting:
            reader.wait_for(lambda turn: turn.of("stream_options"))
        stage.end(text, "begun")
        assert [reader.wait().text.partition(" ")[0] for reader in waiting] == ["1", "2"]


@pytest.mark.parametrize(
    ("left", "sentence"),
    [
        ("another version", "Workflow 'wf_test' has no version '1' on this server."),
        ("nothing", "Workflow 'wf_test' is not on this server."),
    ],
)
def test_a_message_that_waits_for_what_is_gone_after_a_restart_ends_with_a_clear_error(
    tmp_path: Path, stage: Stage, text: str, left: str, sentence: str
) -> None:
    version = "1" if left == "another version" else None
    slow = Workflow("wf_slow", stage.workflow.adapter, version=None, allow_cancel=True)
    with serving(tmp_path, [slow, versioned(version)], multitask_strategy="enqueue") as server:
        live = creating(server.backend.chat(workflow="wf_slow"), text)
        thread_id = live.wait_for(lambda turn: turn.of("stream_options")).thread_id
        waiting = sending(user_at(server, version), thread_id, "next")
        run_id = waiting.wait_for(lambda turn: turn.of("stream_options")).run_id
        live.drop()
        waiting.drop()
    remaining = [slow, versioned("2")] if left == "another version" else [slow]
    with serving(tmp_path, remaining, multitask_strategy="enqueue") as server:
        chat = server.backend.chat(workflow="wf_slow")
        turn = chat.stream("threads.resume", thread_id=thread_id, starting_after=f"{run_id}:1")
        assert turn[-2].event == {"type": "error", "code": "custom", "message": sentence, "allow_retry": False}
        assert turn[-1].comment == "failed"


def test_rest_tells_the_version_as_the_session_named_it(tmp_path: Path) -> None:
    with serving(tmp_path, [versioned("2")]) as server:
        for members, told in [({"version": "2"}, "2"), ({"version": "9"}, "9"), ({}, None)]:
            session = server.backend.session(workflow_members=members)
            assert session["workflow"]["version"] == told


@pytest.mark.parametrize(("version", "named"), [("2", "version '2'"), (None, "no version")])
def test_one_id_and_version_cannot_be_registered_twice(version: str | None, named: str) -> None:
    with pytest.raises(WorkflowError, match=f"two workflows are registered as 'wf_test' with {named}"):
        Registry([versioned(version), versioned("1"), versioned(version)])
