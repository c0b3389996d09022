"""A hosted server's store and thread: titles, state, what it sees while it answers, and whose threads it sees."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bench.reference import MemoryStore
from chatkit.server import ChatKitServer
from chatkit.store import NotFoundError, StoreItemType
from chatkit.types import (
    HiddenContextItem,
    LockedStatus,
    Page,
    ProgressUpdateEvent,
    Thread,
    ThreadItemRemovedEvent,
    ThreadMetadata,
    ThreadUpdatedEvent,
    UserMessageItem,
)

from chatdock import workflow
from chatdock.chat import keys
from tests.chat.shapes import passed
from tests.chatkit_server.peers import UNTITLED, Context, context_of, hosted, played_twice, stored_items
from tests.chatkit_server.shapes import Events, base, says, text_of
from tests.harness.client import ApiFailure, Backend, Chat, Turn
from tests.harness.server import eventually, serving
from tests.runs.wire import creating, sending


class Titling(ChatKitServer[Context]):
    """Names a new thread beside the answer, as the guide on titles does."""

    gate: threading.Event

    async def name(self, thread: ThreadMetadata, message: UserMessageItem, context: Context) -> None:
        if thread.title is None:
            thread.title = f"About {text_of(message)}"
            await self.store.save_thread(thread, context=context)
        self.gate.set()

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        assert input_user_message is not None
        self.gate = threading.Event()
        self.naming = asyncio.create_task(self.name(thread, input_user_message, context))
        await passed(self.gate)
        yield says(self, thread, context, "Hello!")


def test_a_title_made_beside_the_answer_is_stored_and_shown_once(tmp_path: Path) -> None:
    def play(chat: Chat) -> list[Turn]:
        first = chat.create("tides")
        return [first, chat.send(first.thread_id, "boats")]

    first, second = played_twice(tmp_path, Titling, play)
    (event,) = first.of("thread.updated")
    assert event["thread"]["title"] == "About tides"
    assert second.of("thread.updated") == []


class LateTitle(Titling):
    """Names the thread when the answer is over."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        assert input_user_message is not None
        self.naming = asyncio.create_task(self.name(thread, input_user_message, context))
        yield says(self, thread, context, "Hello!")

    async def name(self, thread: ThreadMetadata, message: UserMessageItem, context: Context) -> None:
        await passed(self.gate)
        thread.title = f"About {text_of(message)}"
        try:
            await self.store.save_thread(thread, context=context)
        except NotFoundError:
            self.missed = thread.id


def test_a_title_that_comes_after_the_answer_is_stored_and_revives_no_deleted_thread(tmp_path: Path) -> None:
    LateTitle.gate = threading.Event()
    server = LateTitle(MemoryStore())
    with hosted(tmp_path, server) as hosting:
        chat = hosting.backend.chat("ada", **UNTITLED)
        kept, gone = chat.create("tides").thread_id, chat.create("boats").thread_id
        chat.call("threads.delete", thread_id=gone)
        LateTitle.gate.set()
        eventually(lambda: chat.call("threads.get_by_id", thread_id=kept).get("title") == "About tides")
        eventually(lambda: getattr(server, "missed", None) == gone)
        assert [thread["id"] for thread in chat.call("threads.list")["data"]] == [kept]


class Plain(ChatKitServer[Context]):
    """Answers, and leaves titles alone unless it is told one."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        yield says(self, thread, context, "Hello!")
        if text_of(input_user_message).startswith("title "):
            thread.title = text_of(input_user_message)


def test_a_thread_that_the_server_leaves_untitled_is_named_after_its_first_words(tmp_path: Path) -> None:
    with hosted(tmp_path, Plain) as hosting:
        chat = hosting.backend.chat("ada")
        turn = chat.create("Where is the harbour master?")
        assert turn.of("thread.updated")[0]["thread"]["title"] == "Where is the harbour master?"
        named = chat.create("title of its own")
        assert [event["thread"]["title"] for event in named.of("thread.updated")] == ["title of its own"]
        untitled = hosting.backend.chat("ada", **UNTITLED).create("Where?")
        assert untitled.of("thread.updated") == []


class Closing(ChatKitServer[Context]):
    """Changes its thread in every way that chatkit knows."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        age = datetime.now() - thread.created_at  # noqa: DTZ005 - as chatkit-python's own code does it
        zoned = datetime.now(UTC) - thread.created_at.astimezone()
        assert 0 <= age.total_seconds() < 60
        assert 0 <= zoned.total_seconds() < 60
        thread.metadata["count"] = thread.metadata.get("count", 0) + 1
        thread.allowed_image_domains = ["images.example"]
        copy = await self.store.load_thread(thread.id, context)
        copy.title = f"Turn {thread.metadata['count']}"
        await self.store.save_thread(copy, context)
        yield ThreadUpdatedEvent(
            thread=Thread(**thread.model_dump(exclude={"metadata", "title"}), title=copy.title, items=Page())
        )
        yield says(self, thread, context, str(thread.metadata["count"]))
        if thread.metadata["count"] == 2:
            thread.status = LockedStatus(reason="enough")


def test_changes_of_the_thread_are_kept_across_turns_and_restarts(tmp_path: Path) -> None:
    with hosted(tmp_path, Closing) as hosting:
        chat = hosting.backend.chat("ada", **UNTITLED)
        first = chat.create()
        thread_id = first.thread_id
        assert first.of("thread.updated")[-1]["thread"]["title"] == "Turn 1"
    with hosted(tmp_path, Closing) as hosting:
        chat = hosting.backend.chat("ada", **UNTITLED)
        second = chat.send(thread_id)
        assert second.done("assistant_message")[0]["content"][0]["text"] == "2"
        thread = chat.call("threads.get_by_id", thread_id=thread_id)
        assert (thread["title"], thread["status"]) == ("Turn 2", {"type": "locked", "reason": "enough"})
        assert thread["created_at"] == first.of("thread.created")[0]["thread"]["created_at"]
        with pytest.raises(ApiFailure) as failure:
            chat.send(thread_id)
        assert failure.value.error["code"] == "thread_locked"


class Looking(ChatKitServer[Context]):
    """Writes and reads while it answers."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        assert input_user_message is not None
        said = says(self, thread, context, "first")
        yield said
        hidden = HiddenContextItem(**base(self, thread, context), content="for the model")
        await self.store.add_thread_item(thread.id, hidden, context)
        gone = says(self, thread, context, "never mind")
        yield gone
        await self.store.delete_thread_item(thread.id, gone.item.id, context)
        yield ThreadItemRemovedEvent(item_id=gone.item.id)
        assert await self.store.load_item(thread.id, said.item.id, context) == said.item
        seen = []
        page: Page[Any] = Page(has_more=True)
        while page.has_more:
            page = await self.store.load_thread_items(thread.id, page.after, 2, "asc", context)
            seen += [item.type for item in page.data]
        yield says(self, thread, context, ", ".join(seen))


def test_a_server_sees_what_it_has_just_said_and_stored(tmp_path: Path) -> None:
    (turn,) = played_twice(tmp_path, Looking, lambda chat: [chat.create()])
    said = turn.done("assistant_message")[-1]["content"][0]["text"]
    assert said == "user_message, assistant_message, hidden_context_item"


class Failing(Plain):
    """Fails at first."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        page = await self.store.load_thread_items(thread.id, None, 10, "asc", context)
        yield says(self, thread, context, f"{text_of(input_user_message)} {len(page.data)}")
        if not thread.metadata.get("failed"):
            thread.metadata["failed"] = True
            raise RuntimeError


def test_a_retry_answers_the_message_again_without_what_stood_after_it(tmp_path: Path) -> None:
    def play(chat: Chat) -> list[Turn]:
        first = chat.create("hello")
        (item,) = first.done("user_message")
        return [first, Turn(chat.stream("threads.retry_after_item", thread_id=first.thread_id, item_id=item["id"]))]

    # chatkit-python leaves it to the page to take away what the retry removes.
    first, second = played_twice(tmp_path, Failing, play, same_events=False)
    assert first.outcome == "failed"
    assert second.done("assistant_message")[0]["content"][0]["text"] == "hello 1"


class Nosy(ChatKitServer[Context]):
    """Tries to see, change and delete all that it can think of."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        listed = await self.store.load_threads(100, None, "asc", {"user_id": "ada"})
        yield ProgressUpdateEvent(text=" ".join(one.id for one in listed.data))
        foreign = text_of(input_user_message)
        if foreign.startswith("cthr_"):
            stolen = thread.model_copy(update={"id": foreign})
            for attempt in (
                self.store.load_thread(foreign, context),
                self.store.load_thread_items(foreign, None, 10, "asc", context),
                self.store.save_thread(stolen, context),
                self.store.delete_thread(foreign, context),
                self.store.add_thread_item(foreign, says(self, thread, context, "me").item, context),
            ):
                with pytest.raises(NotFoundError):
                    await attempt


def test_a_server_sees_the_threads_of_its_turns_user_alone(tmp_path: Path) -> None:
    with hosted(tmp_path, Nosy) as hosting:
        ada, bob = hosting.backend.chat("ada"), hosting.backend.chat("bob")
        hers = ada.create("hello")
        his = bob.create(hers.thread_id)
        assert hers.of("progress_update")[0]["text"] == hers.thread_id
        assert his.of("progress_update")[0]["text"] == his.thread_id
        assert his.outcome == "completed"
        assert [kind["type"] for kind in ada.items(hers.thread_id)] == ["user_message"]


class Slow(ChatKitServer[Context]):
    """Lists its user's threads late, in a task and by itself, while other turns are under way."""

    gate: threading.Event

    async def listed(self, context: Context) -> list[str]:
        page = await self.store.load_threads(100, None, "asc", context)
        return [one.id for one in page.data]

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        yield ProgressUpdateEvent(text="begun")
        await passed(self.gate)
        beside, here = await asyncio.gather(asyncio.create_task(self.listed(context)), self.listed(context))
        assert beside == here == [thread.id]
        yield says(self, thread, context, context["user_id"])


def test_turns_at_the_same_time_see_their_own_users_and_projects_threads(tmp_path: Path) -> None:
    Slow.gate = threading.Event()
    with hosted(tmp_path, Slow) as hosting:
        secret = hosting.call(lambda: keys.create(hosting.world.database, "other", "")).secret
        other = Backend(hosting.url, secret)
        chats = [hosting.backend.chat("ada"), hosting.backend.chat("bob"), other.chat("ada")]
        readers = [creating(chat, "hello") for chat in chats]
        for reader in readers:
            reader.wait_for(lambda turn: turn.of("progress_update"))
        Slow.gate.set()
        turns = [reader.wait() for reader in readers]
        other.close()
    assert [turn.done("assistant_message")[0]["content"][0]["text"] for turn in turns] == ["ada", "bob", "ada"]


class Naming(MemoryStore):
    """A store whose author has an opinion on ids."""

    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: Context) -> str:
        return f"{item_type}-{context['user_id']}-{len(thread.metadata)}"


def test_ids_are_those_of_the_servers_own_store(tmp_path: Path) -> None:
    with hosted(tmp_path, Plain(Naming())) as hosting:
        turn = hosting.backend.chat("ada").create()
        assert [item["id"] for item in stored_items(hosting, turn.thread_id)][1] == "message-ada-0"


def test_a_store_outside_of_a_turn_says_whose_it_is() -> None:
    server = Plain(MemoryStore())
    workflow("wf_test")(server)
    with pytest.raises(RuntimeError, match="belongs to the turn"):
        asyncio.run(server.store.load_threads(10, None, "asc", {}))


def test_a_message_that_waits_for_its_turn_is_not_seen_by_the_one_before(tmp_path: Path) -> None:
    gate = threading.Event()

    class Patient(ChatKitServer[Context]):
        async def respond(
            self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
        ) -> Events:
            yield ProgressUpdateEvent(text="begun")
            await passed(gate)
            page = await self.store.load_thread_items(thread.id, None, 10, "asc", context)
            yield says(self, thread, context, " ".join(text_of(item) for item in page.data if text_of(item)))

    made = workflow("wf_test", context=context_of)(Patient)
    with serving(tmp_path, [made], multitask_strategy="enqueue") as hosting:
        chat = hosting.backend.chat("ada")
        first = creating(chat, "one")
        first.wait_for(lambda turn: turn.of("progress_update"))
        second = sending(chat, first.turn.thread_id, "two")
        second.wait_for(lambda turn: turn.done("user_message"))
        gate.set()
        said = [reader.wait().done("assistant_message")[0]["content"][0]["text"] for reader in (first, second)]
    assert said == ["one", "one two"]


def test_one_server_answers_two_applications_at_once(tmp_path: Path) -> None:
    server = Plain(MemoryStore())
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with hosted(first, server) as here, hosted(second, server) as there:
        turns = [hosting.backend.chat("ada").create() for hosting in (here, there, here)]
        assert [turn.outcome for turn in turns] == ["completed"] * 3
        listed = [len(hosting.backend.get("threads")["data"]) for hosting in (here, there)]
    assert listed == [2, 1]


class Restless(ChatKitServer[Context]):
    """Changes its thread with each step, faster than anything is stored."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        for n in range(5):
            thread.title = f"Step {n}"
            yield ProgressUpdateEvent(text=str(n))
        thread.metadata["notes"] = ["secret"]
        yield says(self, thread, context, "noted")
        thread.metadata["notes"].append("more")
        thread.metadata["pair"] = (1, 2)
        yield ProgressUpdateEvent(text="again")
        yield ProgressUpdateEvent(text="nothing changed")
        thread.title = "Done"


def test_every_change_of_a_thread_is_shown_where_chatkit_python_shows_it(tmp_path: Path) -> None:
    def play(chat: Chat) -> list[Turn]:
        turn = chat.create()
        order.append([event.get("text") or event["thread"].get("title") for event in turn.events if shows(event)])
        return [turn]

    def shows(event: dict[str, Any]) -> bool:
        return event["type"] in {"progress_update", "thread.updated"}

    order: list[Any] = []
    (turn,) = played_twice(tmp_path, Restless, play)
    theirs, ours = order
    assert ours == theirs
    assert [event["thread"]["title"] for event in turn.of("thread.updated")] == [
        *(f"Step {n}" for n in range(5)),
        "Step 4",  # metadata alone
        "Step 4",
        "Done",
    ]
    assert "secret" not in str(turn.events)
