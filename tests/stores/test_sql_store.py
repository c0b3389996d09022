"""What `SQLStore` promises beyond the conformance suite: projects, sharing with the server, closing, processes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from chatkit.store import NotFoundError
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    LockedStatus,
    ThreadMetadata,
    WidgetItem,
    WorkflowItem,
)
from chatkit.widgets import DynamicWidgetRoot

from chatdock import SQLStore, workflow
from chatdock.conformance import samples
from chatdock.protocol import ids
from chatdock.storage.connect import open_database
from chatdock.storage.database import Database, Statement, Tx, UnusableDatabase
from chatdock.storage.schema import attachment, frame, item, run
from tests.chat.shapes import echo
from tests.harness.client import Json
from tests.harness.server import serving
from tests.stores.test_conformance import user_of

Context = dict[str, str]
ADA: Context = {"user_id": "user_1"}


pytestmark = pytest.mark.anyio


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/chatdock.db"


def new_thread(store: SQLStore[Context], **members: Any) -> ThreadMetadata:
    return ThreadMetadata(id=store.generate_thread_id(ADA), created_at=datetime.now(), **members)  # noqa: DTZ005


async def count(database: Database, table: Any) -> int:
    async def look(tx: Tx) -> int:
        return len(await tx.all(Statement(table.select())))

    return await database.read(look)


async def test_a_widget_that_is_loaded_and_saved_again_keeps_members_that_chatkit_does_not_know(tmp_path: Path) -> None:
    widget = {"type": "Card", "border": {"size": 2}, "children": [{"type": "Text", "value": "x", "shadow": "lg"}]}
    async with SQLStore[Context](url(tmp_path), user=user_of) as store:
        thread = new_thread(store)
        await store.save_thread(thread, ADA)
        item = WidgetItem(
            id="cti_1",
            thread_id=thread.id,
            created_at=thread.created_at,
            widget=DynamicWidgetRoot.model_validate(widget),
        )
        await store.add_thread_item(thread.id, item, ADA)
        for copy_text in ("one", "two"):
            loaded = await store.load_item(thread.id, item.id, ADA)
            assert isinstance(loaded, WidgetItem)
            loaded.copy_text = copy_text
            await store.save_item(thread.id, loaded, ADA)
        [kept] = (await store.load_thread_items(thread.id, None, 10, "asc", ADA)).data
        assert isinstance(kept, WidgetItem)
        assert (kept.widget.model_dump(exclude_none=True), kept.copy_text) == (widget, "two")


async def test_users_of_two_projects_with_one_name_share_nothing(tmp_path: Path) -> None:
    async with SQLStore[Context](url(tmp_path), user=user_of, project=lambda context: context["project"]) as store:
        one, two = {**ADA, "project": "one"}, {**ADA, "project": "two"}
        thread = new_thread(store)
        await store.save_thread(thread, one)
        with pytest.raises(NotFoundError):
            await store.load_thread(thread.id, two)
        with pytest.raises(NotFoundError):
            await store.save_thread(thread, two)
        assert (await store.load_threads(5, None, "desc", two)).data == []


@pytest.mark.parametrize("user", [None, "", 7])
async def test_a_context_without_a_user_opens_nobodys_threads(tmp_path: Path, user: Any) -> None:
    async with SQLStore[Context](url(tmp_path), user=lambda _: user) as store:
        with pytest.raises(ValueError, match="user must be a text"):
            await store.load_threads(5, None, "desc", ADA)


async def test_a_wrong_order_or_limit_is_refused(tmp_path: Path) -> None:
    async with SQLStore[Context](url(tmp_path), user=user_of) as store:
        with pytest.raises(ValueError, match="order must be"):
            await store.load_threads(5, None, "newest", ADA)
        with pytest.raises(ValueError, match="at least 1"):
            await store.load_threads(0, None, "asc", ADA)


async def test_times_come_back_as_chatkit_subtracts_them(tmp_path: Path) -> None:
    async with SQLStore[Context](url(tmp_path), user=user_of) as store:
        thread = new_thread(store)
        await store.save_thread(thread, ADA)
        made = samples.ITEMS["workflow"][0](thread.id, "wf", datetime.now())  # noqa: DTZ005
        await store.add_thread_item(thread.id, made, ADA)
        found = await store.load_item(thread.id, "wf", ADA)
        assert isinstance(found, WorkflowItem)
        assert 0 <= (datetime.now() - found.created_at).total_seconds() < 60  # noqa: DTZ005 - as chatkit.agents does
        assert found == made


async def test_a_shared_database_is_left_open(tmp_path: Path) -> None:
    database = await open_database(url(tmp_path))
    async with SQLStore[Context](database, user=user_of) as store:
        await store.save_thread(new_thread(store), ADA)
    assert len((await store.load_threads(5, None, "desc", ADA)).data) == 1
    await database.close()


async def test_a_url_is_opened_at_the_first_use_once_and_again_after_closing(tmp_path: Path) -> None:
    store = SQLStore[Context](url(tmp_path), user=user_of)
    assert not os.listdir(tmp_path)
    await asyncio.gather(*(store.save_thread(new_thread(store), ADA) for _ in range(20)))
    await store.close()
    assert len((await store.load_threads(50, None, "desc", ADA)).data) == 20
    await store.close()


async def test_a_database_that_cannot_be_opened_is_an_error_each_time(tmp_path: Path) -> None:
    store = SQLStore[Context](url(tmp_path / "nowhere"), user=user_of)
    for _ in range(2):
        with pytest.raises(UnusableDatabase, match="does not exist"):
            await store.load_threads(5, None, "desc", ADA)


async def test_metadata_of_attachments_is_kept_where_no_client_reads(tmp_path: Path) -> None:
    database = await open_database(url(tmp_path))
    store = SQLStore[Context](database, user=user_of)
    thread = new_thread(store)
    await store.save_thread(thread, ADA)
    message = samples.message(thread.id, "item", datetime.now())  # noqa: DTZ005
    message.attachments = samples.attachments(thread.id, "att")
    for one in message.attachments:
        await store.save_attachment(one, ADA)
    await store.add_thread_item(thread.id, message, ADA)

    async def data(tx: Tx) -> str:
        row = await tx.one(Statement(item.select()))
        assert row is not None
        return str(row["data"])

    assert "file_1" not in await database.read(data)
    assert await store.load_item(thread.id, "item", ADA) == message
    await database.close()


async def test_one_users_id_cannot_be_taken_by_another(tmp_path: Path) -> None:
    async with SQLStore[Context](url(tmp_path), user=user_of) as store:
        thread = new_thread(store)
        await store.save_thread(thread, ADA)
        with pytest.raises(NotFoundError):
            await store.save_thread(thread, {"user_id": "user_2"})


def test_the_server_and_the_store_share_threads_both_ways(tmp_path: Path) -> None:
    with serving(tmp_path, [workflow("wf_echo")(echo)]) as server:
        backend = server.backend
        chat = backend.chat(workflow="wf_echo", user="user_1")
        turn = chat.create("made by the server")

        async def use_store() -> tuple[str, list[str]]:
            async with SQLStore[Context](url(tmp_path), user=user_of) as store:
                known = await store.load_thread_items(turn.thread_id, None, 10, "asc", ADA)
                await store.add_thread_item(turn.thread_id, assistant(turn.thread_id, "added by the store"), ADA)
                made = new_thread(store, title="Made by the store", status=LockedStatus(reason="for now"))
                await store.save_thread(made, ADA)
                for kind in samples.ITEMS.values():
                    for make in kind:
                        entry = make(made.id, ids.item_id(), datetime.now())  # noqa: DTZ005
                        await store.add_thread_item(made.id, entry, ADA)
                return made.id, [one.type for one in known.data]

        made, known = asyncio.run(use_store())
        assert known == ["user_message", "assistant_message"]
        answered = "You said made by the server"
        assert said(chat.items(turn.thread_id)) == ["made by the server", answered, "added by the store"]

        shown = chat.call("threads.get_by_id", thread_id=made)
        assert (shown["title"], shown["status"]) == ("Made by the store", {"type": "locked", "reason": "for now"})
        assert "hidden" not in str(shown["items"])
        assert made in [one["id"] for one in chat.call("threads.list", limit=20)["data"]]
        rest: Json = backend.get(f"threads/{made}")
        assert (rest["title"], rest["user"]) == ("Made by the store", "user_1")
        page: Json = backend.get(f"threads/{made}/items", limit=100, order="asc")
        assert {"chatkit.user_message", "chatkit.widget", "chatkit.task_group"} <= {one["type"] for one in page["data"]}
        follow_up = chat.send(turn.thread_id, "and on")
        assert follow_up.outcome == "completed"


async def test_deleting_a_thread_of_the_server_leaves_nothing_of_it(tmp_path: Path) -> None:
    with serving(tmp_path, [workflow("wf_echo")(echo)]) as server:
        turn = await asyncio.to_thread(server.backend.chat(workflow="wf_echo", user="user_1").create, "hello")
    database = await open_database(url(tmp_path))
    store = SQLStore[Context](database, user=user_of)
    for one in samples.attachments(turn.thread_id, "att"):
        await store.save_attachment(one, ADA)
    assert all([await count(database, table) for table in (item, run, frame, attachment)])
    await store.delete_thread(turn.thread_id, ADA)
    assert [await count(database, table) for table in (item, run, frame, attachment)] == [0, 0, 0, 0]
    await database.close()


WRITER = """
import asyncio, sys
from datetime import datetime
from chatdock import SQLStore, workflow
from chatdock.conformance.samples import message

async def main(url, thread_id, name):
    async with SQLStore(url, user=lambda context: context["user_id"]) as store:
        async def write(writer):
            for number in range(40):
                item = message(thread_id, f"{name}_{writer}_{number:02}", datetime.now())
                await store.add_thread_item(thread_id, item, {"user_id": "user_1"})
        await asyncio.gather(*(write(writer) for writer in range(5)))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_writers_in_two_processes_lose_nothing_and_share_no_position(tmp_path: Path) -> None:
    database = await open_database(url(tmp_path))
    store = SQLStore[Context](database, user=user_of)
    thread = new_thread(store)
    await store.save_thread(thread, ADA)
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, url(tmp_path), thread.id, name)
        for name in ("one", "two")
    ]
    async with asyncio.timeout(60):
        assert [await process.wait() for process in processes] == [0, 0]
    page = await store.load_thread_items(thread.id, None, 1000, "asc", ADA)
    found = [entry.id for entry in page.data]
    assert Counter(found) == Counter(
        f"{name}_{writer}_{number:02}" for name in ("one", "two") for writer in range(5) for number in range(40)
    )
    for name in ("one", "two"):
        for writer in range(5):
            own = [entry for entry in found if entry.startswith(f"{name}_{writer}_")]
            assert own == sorted(own)
    await database.close()


def assistant(thread_id: str, text: str) -> AssistantMessageItem:
    return AssistantMessageItem(
        id=ids.item_id(),
        thread_id=thread_id,
        created_at=datetime.now(),  # noqa: DTZ005
        content=[AssistantMessageContent(text=text)],
    )


def said(items: list[Json]) -> list[str]:
    return [part["text"] for entry in items for part in entry["content"] if part["text"]]
