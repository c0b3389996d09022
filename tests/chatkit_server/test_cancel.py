"""The user stops a hosted server's answer: the server learns of it, may clean up, and nothing is kept twice."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from bench.reference import MemoryStore
from chatkit.server import ChatKitServer
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    CustomTask,
    HiddenContextItem,
    StreamOptions,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    Workflow,
    WorkflowItem,
    WorkflowTaskAdded,
)

from chatdock import Turn as HostedTurn
from chatdock import workflow
from chatdock.runs.changes import CANCEL_NOTE
from chatdock.workflows.workflow import WorkflowError
from tests.chat.shapes import passed
from tests.chatkit_server.peers import UNTITLED, Context, context_of, hosted, stored_items
from tests.chatkit_server.shapes import Events, base, says, text_of
from tests.harness.client import Chat, Json, Turn
from tests.harness.server import ThreadServer, eventually
from tests.runs.wire import Reader, creating, resuming


class Writing(ChatKitServer[Context]):
    """Begins a workflow and a message, and goes on for ever."""

    learned: list[str]

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        workflow = WorkflowItem(**base(self, thread, context), workflow=Workflow(type="custom", tasks=[]))
        yield ThreadItemAddedEvent(item=workflow)
        task = WorkflowTaskAdded(task_index=0, task=CustomTask(title="Looking"))
        yield ThreadItemUpdatedEvent(item_id=workflow.id, update=task)
        item = AssistantMessageItem(**base(self, thread, context), content=[])
        yield ThreadItemAddedEvent(item=item)
        thread.metadata["begun"] = True
        try:
            while True:
                delta = AssistantMessageContentPartTextDelta(content_index=0, delta="more ")
                yield ThreadItemUpdatedEvent(item_id=item.id, update=delta)
                if text_of(input_user_message) == "slow":
                    await asyncio.sleep(3600)
        except asyncio.CancelledError:
            self.learned.append("cancelled")
            raise


class Tidying(Writing):
    """Keeps what it wants kept, beside what chatkit does by itself."""

    pending: list[ThreadItem]

    async def handle_stream_cancelled(
        self, thread: ThreadMetadata, pending_items: list[ThreadItem], context: Context
    ) -> None:
        type(self).pending = [item.model_copy(deep=True) for item in pending_items]
        self.learned.append(f"{context['user_id']} {(await self.store.load_thread(thread.id, context)).metadata}")
        for item in pending_items:
            if isinstance(item, WorkflowItem):
                await self.store.add_thread_item(thread.id, item, context)
        await super().handle_stream_cancelled(thread, pending_items, context)


class Replacing(Writing):
    """Marks the message and leaves a note of its own kind."""

    async def handle_stream_cancelled(
        self, thread: ThreadMetadata, pending_items: list[ThreadItem], context: Context
    ) -> None:
        for item in pending_items:
            if isinstance(item, AssistantMessageItem):
                marked = item.model_copy(update={"content": [AssistantMessageContent(text="(stopped)")]})
                await self.store.save_item(thread.id, marked, context)
        note = HiddenContextItem(**base(self, thread, context), content="stopped by the user")
        await self.store.add_thread_item(thread.id, note, context)


class Failing(Writing):
    """Fails at cleaning up."""

    async def handle_stream_cancelled(
        self, thread: ThreadMetadata, pending_items: list[ThreadItem], context: Context
    ) -> None:
        raise RuntimeError("no cleaning today")


def stopped(server: ThreadServer, text: str = "slow") -> Turn:
    """A turn that the user stopped."""
    chat = server.backend.chat("ada", **UNTITLED)
    reader = creating(chat, text)
    reader.wait_for(lambda turn: turn.text.startswith("more "))
    answer = chat.call("threads.cancel", thread_id=reader.turn.thread_id)
    assert answer["run"]["status"] == "cancelled"
    return reader.wait()


def kept(items: list[Json]) -> list[tuple[str, Any]]:
    """The items by kind, with what notes and messages say."""
    return [(one["type"], one["content"] if "hidden" in one["type"] else None) for one in items]


@pytest.mark.parametrize("text", ["slow", "fast"])
def test_a_server_is_cancelled_where_it_waits_and_where_it_yields(tmp_path: Path, text: str) -> None:
    Writing.learned = []
    with hosted(tmp_path, Writing) as server:
        turn = stopped(server, text)
        items = stored_items(server, turn.thread_id)
    assert Writing.learned == ["cancelled"]
    assert kept(items) == [("user_message", None), ("assistant_message", None), ("sdk_hidden_context", CANCEL_NOTE)]
    assert items[1]["content"][0]["text"] == turn.text


def test_cleaning_up_gets_what_was_open_and_doubles_nothing(tmp_path: Path) -> None:
    Tidying.learned, Tidying.pending = [], []
    with hosted(tmp_path, Tidying) as server:
        turn = stopped(server)
        items = stored_items(server, turn.thread_id)
    assert Tidying.learned[0] == "cancelled"
    steps, message = Tidying.pending
    assert isinstance(steps, WorkflowItem)
    assert [task.title for task in steps.workflow.tasks] == ["Looking"]
    assert isinstance(message, AssistantMessageItem)
    assert message.content[0].text == "more "
    by_kind = sorted(kept(items), key=str)
    assert by_kind == [
        ("assistant_message", None),
        ("sdk_hidden_context", CANCEL_NOTE),
        ("user_message", None),
        ("workflow", None),
    ]


def test_what_a_server_makes_of_it_is_the_last_word(tmp_path: Path) -> None:
    Replacing.learned = []
    with hosted(tmp_path, Replacing) as server:
        turn = stopped(server)
        items = stored_items(server, turn.thread_id)
    assert items[1]["content"][0]["text"] == "(stopped)"
    assert ("hidden_context_item", "stopped by the user") in kept(items)


def test_a_server_that_fails_at_cleaning_up_loses_nothing(tmp_path: Path) -> None:
    Failing.learned = []
    with hosted(tmp_path, Failing) as server:
        turn = stopped(server)
        items = stored_items(server, turn.thread_id)
    assert [kind for kind, _ in kept(items)] == ["user_message", "assistant_message", "sdk_hidden_context"]


def test_metadata_of_a_turn_that_was_stopped_is_kept(tmp_path: Path) -> None:
    Writing.learned = []

    class Remembering(Writing):
        async def respond(
            self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
        ) -> Events:
            if thread.metadata.get("begun"):
                yield says(self, thread, context, "begun before")
                return
            async for event in super().respond(thread, input_user_message, context):
                yield event

    with hosted(tmp_path, Remembering) as server:
        turn = stopped(server)
        again = server.backend.chat("ada").send(turn.thread_id)
    assert again.done("assistant_message")[0]["content"][0]["text"] == "begun before"


class Choosy(ChatKitServer[Context]):
    """Says by each thread, and by its user, whether it can be stopped."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        thread.metadata["unstoppable"] = True
        yield says(self, thread, context, "Done.")

    def get_stream_options(self, thread: ThreadMetadata, context: Context) -> StreamOptions:
        return StreamOptions(allow_cancel=context["user_id"] == "ada" and "unstoppable" not in thread.metadata)


class Bare(Choosy):
    """Says nothing else."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        for event in list[ThreadStreamEvent]():
            yield event


def allowed(turn: Turn) -> bool:
    """Whether clients show a stop button."""
    (event,) = turn.of("stream_options")
    allow: bool = event["stream_options"]["allow_cancel"]
    return allow


def test_a_server_says_turn_by_turn_whether_it_can_be_stopped(tmp_path: Path) -> None:
    with hosted(tmp_path, Choosy) as server:
        chat = server.backend.chat("ada")
        first = chat.create()
        assert first.types.index("stream_options") < first.types.index("thread.item.done", 2)
        second = chat.send(first.thread_id)
        theirs = server.backend.chat("bob").create()
    assert [allowed(first), allowed(second), allowed(theirs)] == [True, False, False]


def test_a_turn_whose_first_event_is_the_workflows_own_can_be_joined_and_sent_again(tmp_path: Path) -> None:
    """A retry begins with no event of Chatdock's own."""

    def retry(chat: Chat, thread_id: str, item_id: str) -> Turn:
        key = {"idempotency-key": "once"}
        return Turn(chat.stream("threads.retry_after_item", headers=key, thread_id=thread_id, item_id=item_id))

    with hosted(tmp_path, Bare) as server:
        chat = server.backend.chat("ada")
        thread_id = chat.create().thread_id
        (item,) = chat.items(thread_id)
        first = retry(chat, thread_id, item["id"])
        assert (first.types, first.outcome) == (["stream_options"], "completed")
        again = retry(chat, thread_id, item["id"])
    assert again.frames == first.frames


def test_a_turn_can_be_joined_before_its_first_event(tmp_path: Path) -> None:
    gate = threading.Event()

    async def context(turn: HostedTurn) -> Context:
        await passed(gate)
        return context_of(turn)

    gate.set()
    with hosted(tmp_path, Bare, context=context) as server:
        chat = server.backend.chat("ada")
        thread_id = chat.create().thread_id
        gate.clear()
        (item,) = chat.items(thread_id)
        again: Json = {"thread_id": thread_id, "item_id": item["id"], "headers": {"idempotency-key": "once"}}
        first = Reader(chat, "threads.retry_after_item", **again)
        eventually(lambda: "active_run" in chat.call("threads.get_by_id", thread_id=thread_id))
        second, tab = Reader(chat, "threads.retry_after_item", **again), resuming(chat, thread_id)
        eventually(lambda: second.status and tab.status)
        gate.set()
        turns = [reader.wait() for reader in (first, second, tab)]
    assert [turn.outcome for turn in turns] == ["completed"] * 3
    assert turns[0].frames == turns[1].frames
    assert [turn.types for turn in turns] == [["stream_options"]] * 3


def test_two_words_on_stopping_are_one_too_many() -> None:
    with pytest.raises(WorkflowError, match=r"Choosy.get_stream_options\(\) says by itself"):
        workflow("wf_test", allow_cancel=False)(Choosy)


def test_a_server_without_a_word_on_it_follows_its_registration(tmp_path: Path) -> None:
    with hosted(tmp_path, Brief, allow_cancel=False) as server:
        assert not allowed(server.backend.chat("ada").create())


class Brief(ChatKitServer[Context]):
    """Says one thing."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        yield says(self, thread, context, "Done.")


class Giving(Brief):
    """Breaks off by itself, as when a task that it waits for was cancelled."""

    told = False

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        async for event in super().respond(thread, input_user_message, context):
            yield event
        task = asyncio.create_task(asyncio.sleep(60))
        task.cancel()
        await task

    async def handle_stream_cancelled(
        self, thread: ThreadMetadata, pending_items: list[ThreadItem], context: Context
    ) -> None:
        self.told = True


def test_an_answer_that_breaks_off_by_itself_is_a_failure_with_a_retry(tmp_path: Path) -> None:
    server = Giving(MemoryStore())
    with hosted(tmp_path, server) as hosting:
        turn = hosting.backend.chat("ada").create()
    assert turn.outcome == "failed"
    assert turn.done("assistant_message")
    assert turn.of("error")[0]["allow_retry"]
    assert not server.told
