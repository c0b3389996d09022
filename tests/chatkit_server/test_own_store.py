"""A hosted server's store is its author's own: of the same class, with all that the author added to it."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from chatkit.agents import AgentContext
from chatkit.server import ChatKitServer
from chatkit.store import AttachmentStore, NotFoundError, Store, StoreItemType
from chatkit.types import Page, ThreadItem, ThreadMetadata, ThreadStreamEvent, UserMessageItem
from pydantic import BaseModel, ConfigDict, Field

from chatdock import workflow
from chatdock.workflows.chatkit_server import ServerAdapter
from chatdock.workflows.workflow import WorkflowError
from tests.chatkit_server.peers import Context, hosted, stored_items
from tests.chatkit_server.shapes import Events, says, text_of
from tests.stores.memory import MemoryStore


class Notebook(MemoryStore):
    """A store with more in it than threads."""

    opened: ClassVar[int] = 0

    def __init__(self, region: str = "eu") -> None:
        super().__init__()
        self.region = region
        self.notes: list[str] = []
        self._secret = 7

    async def save_feedback(self, note: str) -> None:
        self.notes.append(note)

    async def said(self, thread_id: str, context: Context) -> list[str]:
        """By way of the store's own method."""
        page = await self.load_thread_items(thread_id, None, 10, "asc", context)
        return [item.type for item in page.data]

    async def titles(self, context: Context) -> list[str | None]:
        """By way of the class above."""
        return [thread.title for thread in (await super().load_threads(10, None, "asc", context)).data]

    async def pages(self, thread_id: str, context: Context) -> AsyncIterator[Page[ThreadItem]]:
        yield await self.load_thread_items(thread_id, None, 1, "asc", context)

    @property
    def count(self) -> int:
        return len(self.notes)

    @count.setter
    def count(self, wanted: int) -> None:
        self.notes = ["x"] * wanted

    @classmethod
    def open(cls) -> str:
        cls.opened += 1
        return cls.__name__

    async def save_thread(self, thread: ThreadMetadata, context: Context) -> None:
        raise AssertionError("threads are Chatdock's")


class Typed(AgentContext[Context]):
    """The context of OpenAI's own samples, which names the store's class."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    store: Annotated[Notebook, Field(exclude=True)]


class Desk(ChatKitServer[Context]):
    def __init__(self) -> None:
        self.store: Notebook = Notebook()
        self.beside = self.store
        super().__init__(self.store)

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        store = Typed(thread=thread, store=self.store, request_context=context).store
        assert isinstance(store, Notebook)
        await store.save_feedback(text_of(input_user_message))
        thread.title = f"Note {store.count}"
        await store.save_thread(thread, context)
        said = await store.said(thread.id, context)
        async for page in store.pages(thread.id, context):
            said += [item.type for item in page.data]
        yield says(self, thread, context, f"{said} {await store.titles(context)} {Notebook.open()}")


def test_a_context_that_names_the_stores_class_and_methods_that_the_author_added(tmp_path: Path) -> None:
    server = Desk()
    with hosted(tmp_path, server) as hosting:
        chat = hosting.backend.chat("ada")
        first = chat.create("one")
        second = chat.send(first.thread_id, "two")
        other = chat.create("three")
        kept = [item["type"] for item in stored_items(hosting, first.thread_id)]
    assert [turn.outcome for turn in (first, second, other)] == ["completed"] * 3
    assert [turn.done("assistant_message")[0]["content"][0]["text"] for turn in (first, second, other)] == [
        "['user_message', 'user_message'] ['Note 1'] Notebook",
        "['user_message', 'assistant_message', 'user_message', 'user_message'] ['Note 2'] Notebook",
        "['user_message', 'user_message'] ['Note 2', 'Note 3'] Notebook",
    ]
    assert kept == ["user_message", "assistant_message"] * 2
    assert server.beside.notes == ["one", "two", "three"]
    assert (server.beside.threads, server.beside.items) == ({}, {})


def hosted_of(own: Store[Any]) -> Any:
    """What takes a store's place."""

    class Silent(ChatKitServer[Context]):
        async def respond(
            self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
        ) -> Events:
            for event in list[ThreadStreamEvent]():
                yield event

    adapter = workflow("wf_test")(Silent(own)).adapter
    assert isinstance(adapter, ServerAdapter)
    return adapter.server.store


def test_state_is_the_authors_objects_whoever_writes_it() -> None:
    own = Notebook("us")
    store = hosted_of(own)
    opened = Notebook.opened
    assert (store.region, store._secret, store.count, store.open()) == ("us", 7, 0, "Notebook")
    assert Notebook.opened == store.opened == opened + 1
    store.count = 2
    own.notes.append("y")
    store.later, own.sooner = 1, 2  # type: ignore[attr-defined]
    assert own.notes == store.notes == ["x", "x", "y"]
    assert (own.later, store.sooner) == (1, 2)  # type: ignore[attr-defined]
    del store.later
    assert not hasattr(own, "later")
    assert type(store)("asia").region == "asia"
    assert own.region == "us"
    assert hosted_of(store) is store


def test_copies_are_hosted_too_and_a_pickle_is_the_authors_object() -> None:
    own = Notebook()
    store = hosted_of(own)
    store.notes.append("x")
    for copied in (
        copy.copy(store),
        copy.deepcopy(store),
        Typed.model_construct(store=store).model_copy(deep=True).store,
    ):
        assert isinstance(copied, Notebook)
        with pytest.raises(RuntimeError, match="belongs to the turn"):
            asyncio.run(copied.load_thread("cthr_1", {}))
        assert copied.notes == ["x"]
    deep = copy.deepcopy(store)
    deep.notes.append("y")
    assert own.notes == ["x"]
    assert type(pickle.loads(pickle.dumps(store))) is Notebook


class Slotted(MemoryStore):
    __slots__ = ("__private", "region")

    def __init__(self) -> None:
        super().__init__()
        self.region = "eu"
        self.__private = 1

    def more(self) -> int:
        self.__private += 1
        return self.__private


def test_slots_are_the_authors_objects() -> None:
    own = Slotted()
    store = hosted_of(own)
    assert (store.region, store.more(), own.more()) == ("eu", 2, 3)
    store.region = "us"
    assert own.region == "us"
    del store.region
    assert not hasattr(own, "region")


class Configured(BaseModel, MemoryStore):  # type: ignore[misc]
    """A store that is a pydantic model."""

    region: str = "eu"
    _asked: int = 0

    def ask(self) -> int:
        self._asked += 1
        return self._asked


class Holder(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    store: Configured


def test_a_store_that_is_a_model_of_pydantics() -> None:
    own = Configured(region="us")
    store = hosted_of(own)
    assert (store.ask(), own.ask(), store.region) == (1, 2, "us")
    assert Holder(store=store).store is store
    assert store.model_dump() == {"region": "us"}


class Listed(MemoryStore):
    """Keeps a list of its subclasses, and counts what is thrown away."""

    kinds: ClassVar[list[str]] = []
    gone: ClassVar[list[str]] = []

    def __init_subclass__(cls, *, kind: str) -> None:
        Listed.kinds.append(kind)

    def __del__(self) -> None:
        Listed.gone.append("gone")


def test_no_hook_of_the_authors_class_sees_the_class_that_is_made() -> None:
    store = hosted_of(Listed())
    assert Listed.kinds == []
    del store
    assert Listed.gone in ([], ["gone"])


class Kept(dict[str, Any], MemoryStore):  # type: ignore[misc]
    """Holds its threads in itself."""


def test_a_store_that_cannot_be_given_chatdocks_threads_is_refused_with_the_reason() -> None:
    with pytest.raises(WorkflowError, match=r"Kept cannot be given Chatdock's threads .*keeps what it needs in attr"):
        hosted_of(Kept())


class Files(AttachmentStore[Context]):
    def __init__(self, store: Notebook) -> None:
        self.store = store

    async def delete_attachment(self, attachment_id: str, context: Context) -> None:
        raise NotFoundError

    def where(self) -> str:
        return self.store.region


class Both(Desk):
    """Asks for a store of its author's class, and has an attachment store."""

    def __init__(self, store: Notebook) -> None:
        ChatKitServer.__init__(self, store, Files(store))
        self.files = self.attachment_store


def test_a_class_that_asks_for_its_own_store_gets_one_and_its_attachment_store_stays(tmp_path: Path) -> None:
    adapter = workflow("wf_test")(Both).adapter
    assert isinstance(adapter, ServerAdapter)
    server = adapter.server
    assert isinstance(server, Both)
    assert isinstance(server.store, Notebook)
    assert server.attachment_store is server.files
    assert isinstance(server.files, Files)
    assert server.files.where() == "eu"
    with hosted(tmp_path, server) as hosting:
        assert hosting.backend.chat("ada").create("one").outcome == "completed"
    assert server.files.store.notes == ["one"]


class Numbering(Notebook):
    """Makes ids out of its state."""

    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: Context) -> str:
        return f"note_{self.count}"


def test_ids_come_from_the_authors_state(tmp_path: Path) -> None:
    server = Desk()
    server.store = Numbering()
    with hosted(tmp_path, server) as hosting:
        turn = hosting.backend.chat("ada").create("one")
    assert turn.done("assistant_message")[0]["id"] == "note_1"
