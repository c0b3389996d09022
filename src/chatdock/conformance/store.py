"""The suite. Each test makes a store, uses it as a `ChatKitServer` would, and closes it."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TypeVar

from chatkit.store import NotFoundError, Store, StoreItemType
from chatkit.types import (
    ActiveStatus,
    ClosedStatus,
    LockedStatus,
    Page,
    ThreadItem,
    ThreadMetadata,
)

from chatdock.conformance import samples
from chatdock.conformance.samples import AWKWARD, ITEMS, message

T = TypeVar("T")
AnyStore = Store[Any]

ADA, BOB = "ada", "bob"
MANY = 10_000
BIG = 1_000_000
KINDS: tuple[StoreItemType, ...] = (
    "message",
    "tool_call",
    "task",
    "workflow",
    "attachment",
    "sdk_hidden_context",
)


class StoreConformance:
    """Subclass it as a test class and say how a store is made; every test gets an empty one.

    `context(user)` is what your server passes to the store for a user; override it with your own shape.
    """

    async def make_store(self) -> AnyStore:
        """A new store with nothing in it, on the running loop."""
        raise NotImplementedError(f"{type(self).__name__} must define make_store()")

    async def close_store(self, store: AnyStore) -> None:
        """Let go of what `make_store` opened."""

    def context(self, user: str) -> Any:
        """The context of a request of this user."""
        return {"user_id": user}

    # Threads

    def test_a_thread_comes_back_as_it_was_saved(self) -> None:
        async def check(store: AnyStore) -> None:
            for status in (ActiveStatus(), LockedStatus(reason="wait"), LockedStatus(), ClosedStatus(reason=AWKWARD)):
                thread = self._new_thread(
                    store,
                    title=AWKWARD,
                    status=status,
                    allowed_image_domains=["a.example", "b.example"],
                    metadata={"previous": None, "ä": [1, 2.5, True, {"b": AWKWARD}]},
                )
                await store.save_thread(thread, self._ada)
                _same_thread(await store.load_thread(thread.id, self._ada), thread)
            bare = self._new_thread(store)
            await store.save_thread(bare, self._ada)
            _same_thread(await store.load_thread(bare.id, self._ada), bare)

        self._run(check)

    def test_saving_a_thread_again_changes_it_and_keeps_its_items(self) -> None:
        async def check(store: AnyStore) -> None:
            thread = await self._thread(store, title="one", metadata={"a": 1}, allowed_image_domains=["a.example"])
            (item,) = await self._fill(store, thread, 1)
            changes: list[dict[str, Any]] = [
                {"title": "two", "status": LockedStatus(reason="why"), "metadata": {"b": 2}},
                {"title": None, "status": ActiveStatus(), "metadata": {}, "allowed_image_domains": None},
            ]
            for change in changes:
                thread = thread.model_copy(update=change)
                await store.save_thread(thread, self._ada)
                _same_thread(await store.load_thread(thread.id, self._ada), thread)
            assert await self._ids(store, thread.id) == [item.id]
            assert await _all_threads(store, self._ada, "desc", 10) == [thread.id]

        self._run(check)

    def test_a_thread_that_does_not_exist_is_not_found(self) -> None:
        async def check(store: AnyStore) -> None:
            await _not_found("load_thread", store.load_thread("thr_none", self._ada))
            await _not_found("load_thread_items", store.load_thread_items("thr_none", None, 10, "asc", self._ada))
            await _not_found("load_item", store.load_item("thr_none", "msg_none", self._ada))

        self._run(check)

    def test_threads_are_listed_by_their_time_in_both_orders(self) -> None:
        async def check(store: AnyStore) -> None:
            assert await _all_threads(store, self._ada, "desc", 3) == []
            made = [await self._thread(store, created_at=_time(hours=n)) for n in (3, 1, 2, 5, 4)]
            oldest_first = [thread.id for thread in sorted(made, key=lambda thread: thread.created_at)]
            for size in range(1, 7):
                assert await _all_threads(store, self._ada, "asc", size) == oldest_first, f"asc, pages of {size}"
                assert await _all_threads(store, self._ada, "desc", size) == oldest_first[::-1], f"desc, {size}"

        self._run(check)

    def test_threads_of_one_moment_are_listed_once_each_in_a_stable_order(self) -> None:
        async def check(store: AnyStore) -> None:
            made = [await self._thread(store, created_at=_time()) for _ in range(7)]
            orders = [await _all_threads(store, self._ada, "desc", size) for size in (1, 2, 3, 7, 8)]
            assert sorted(orders[0]) == sorted(thread.id for thread in made)
            assert all(order == orders[0] for order in orders), "the order depends on the size of pages"
            assert await _all_threads(store, self._ada, "asc", 2) == orders[0][::-1]

        self._run(check)

    def test_an_unknown_cursor_is_not_found(self) -> None:
        async def check(store: AnyStore) -> None:
            thread, other = await self._thread(store), await self._thread(store)
            await self._fill(store, thread, 2)
            (elsewhere,) = await self._fill(store, other, 1)
            for cursor in ("msg_none", elsewhere.id):
                for order in ("asc", "desc"):
                    await _not_found(
                        "load_thread_items", store.load_thread_items(thread.id, cursor, 10, order, self._ada)
                    )
            await _not_found("load_threads", store.load_threads(10, "thr_none", "desc", self._ada))

        self._run(check)

    def test_a_deleted_thread_is_gone_with_its_items(self) -> None:
        async def check(store: AnyStore) -> None:
            thread, other = await self._thread(store), await self._thread(store)
            (item, *_), (kept, *_) = await self._fill(store, thread, 3), await self._fill(store, other, 3)
            await store.delete_thread(thread.id, self._ada)
            await _not_found("load_thread", store.load_thread(thread.id, self._ada))
            await _not_found("load_item", store.load_item(thread.id, item.id, self._ada))
            await _not_found("load_thread_items", store.load_thread_items(thread.id, None, 9, "asc", self._ada))
            assert await _all_threads(store, self._ada, "desc", 10) == [other.id]
            assert (await store.load_item(other.id, kept.id, self._ada)).id == kept.id
            # The same id again is a new thread.
            await store.save_thread(thread, self._ada)
            assert await self._ids(store, thread.id) == []

        self._run(check)

    # Items

    def test_items_of_every_type_come_back_equal(self) -> None:
        async def check(store: AnyStore) -> None:
            thread = await self._thread(store)
            for kind, makers in ITEMS.items():
                for make in makers:
                    item = make(thread.id, store.generate_item_id("message", thread, self._ada), datetime.now())  # noqa: DTZ005 - as chatkit does
                    await store.add_thread_item(thread.id, item.model_copy(deep=True), self._ada)
                    _same_item(await store.load_item(thread.id, item.id, self._ada), item)
                    page = await store.load_thread_items(thread.id, None, 1, "desc", self._ada)
                    assert page.data, f"{kind} is not listed"
                    _same_item(page.data[0], item)

        self._run(check)

    def test_hidden_items_are_kept_and_listed(self) -> None:
        async def check(store: AnyStore) -> None:
            thread = await self._thread(store)
            kinds = ["user_message", "hidden_context_item", "sdk_hidden_context", "assistant_message", "end_of_turn"]
            for number, kind in enumerate(kinds):
                item = ITEMS[kind][0](thread.id, f"item_{number}", _time(minutes=number))
                await store.add_thread_item(thread.id, item, self._ada)
            assert [item.type for item in await _all_items(store, thread.id, self._ada, "asc", 2)] == kinds

        self._run(check)

    def test_a_big_item_comes_back_equal(self) -> None:
        async def check(store: AnyStore) -> None:
            thread = await self._thread(store)
            item = message(thread.id, "big", _time(), (AWKWARD * (BIG // len(AWKWARD) + 1))[:BIG])
            await store.add_thread_item(thread.id, item, self._ada)
            _same_item(await store.load_item(thread.id, "big", self._ada), item)

        self._run(check)

    def test_a_time_stays_the_same_moment(self) -> None:
        async def check(store: AnyStore) -> None:
            moments = [
                datetime(2026, 1, 15, 12, 30, 45, 123457),  # noqa: DTZ001 - chatkit's times have no zone
                datetime(2026, 7, 15, 0, 0, 0, 1),  # noqa: DTZ001
                datetime(2026, 7, 15, 12, 30, 45, 999999, UTC),
                datetime(2026, 1, 1, 1, 0, 0, 500000, timezone(timedelta(hours=9, minutes=30))),
            ]
            for number, moment in enumerate(moments):
                thread = await self._thread(store, created_at=moment)
                await store.add_thread_item(thread.id, message(thread.id, f"item_{number}", moment), self._ada)
                (item,) = await _all_items(store, thread.id, self._ada, "asc", 5)
                for found in ((await store.load_thread(thread.id, self._ada)).created_at, item.created_at):
                    assert _utc(found) == _utc(moment), f"{moment!r} became {found!r}"

        self._run(check)

    def test_an_item_that_does_not_exist_is_not_found(self) -> None:
        async def check(store: AnyStore) -> None:
            thread, other = await self._thread(store), await self._thread(store)
            (elsewhere,) = await self._fill(store, other, 1)
            await _not_found("load_item", store.load_item(thread.id, "msg_none", self._ada))
            await _not_found("load_item", store.load_item(thread.id, elsewhere.id, self._ada))

        self._run(check)

    def test_items_stand_in_the_order_in_which_they_were_added(self) -> None:
        async def check(store: AnyStore) -> None:
            thread = await self._thread(store)
            names = ["c", "a", "d", "b", "e"]
            for number, name in enumerate(names):
                # Times and ids say something else: a tool's item may be older than the message before it.
                item = message(thread.id, name, _time(minutes=-number if number % 2 else 0))
                await store.add_thread_item(thread.id, item, self._ada)
            assert await self._ids(store, thread.id) == names

        self._run(check)

    def test_an_item_with_a_known_id_takes_the_place_of_the_one_before(self) -> None:
        async def check(store: AnyStore) -> None:
            thread = await self._thread(store)
            first, second, third = await self._fill(store, thread, 3)
            for number, put in enumerate((store.add_thread_item, store.save_item)):
                changed = message(thread.id, second.id, _time(minutes=2), f"changed {number}")
                await put(thread.id, changed, self._ada)
                assert await self._ids(store, thread.id) == [first.id, second.id, third.id], put.__name__
                _same_item(await store.load_item(thread.id, second.id, self._ada), changed)

        self._run(check)

    def test_saving_an_item_that_is_new_adds_it_at_the_end(self) -> None:
        async def check(store: AnyStore) -> None:
            thread = await self._thread(store)
            first, second = await self._fill(store, thread, 2)
            await store.save_item(thread.id, message(thread.id, "new", _time(days=-1)), self._ada)
            assert await self._ids(store, thread.id) == [first.id, second.id, "new"]

        self._run(check)

    def test_a_deleted_item_is_gone_and_the_others_stay(self) -> None:
        async def check(store: AnyStore) -> None:
            thread = await self._thread(store)
            first, second, third = await self._fill(store, thread, 3)
            await store.delete_thread_item(thread.id, second.id, self._ada)
            await _not_found("load_item", store.load_item(thread.id, second.id, self._ada))
            assert await self._ids(store, thread.id) == [first.id, third.id]
            await store.add_thread_item(thread.id, second, self._ada)
            assert await self._ids(store, thread.id) == [first.id, third.id, second.id]

        self._run(check)

    def test_deleting_an_item_that_was_never_stored_is_no_error(self) -> None:
        """chatkit does it with each item that was shown and removed before it was done."""

        async def check(store: AnyStore) -> None:
            thread = await self._thread(store)
            (item,) = await self._fill(store, thread, 1)
            await store.delete_thread_item(thread.id, "msg_none", self._ada)
            assert await self._ids(store, thread.id) == [item.id]

        self._run(check)

    def test_what_was_loaded_or_saved_is_the_callers_own(self) -> None:
        async def check(store: AnyStore) -> None:
            thread = await self._thread(store, title="title", metadata={"a": {"b": 1}})
            item = message(thread.id, "item", _time())
            await store.add_thread_item(thread.id, item, self._ada)
            expected = item.model_copy(deep=True)
            item.quoted_text = "changed after it was saved"
            loaded = await store.load_item(thread.id, "item", self._ada)
            _same_item(loaded, expected)
            loaded.created_at = _time(days=9)
            loaded_thread = await store.load_thread(thread.id, self._ada)
            loaded_thread.title = "changed after it was loaded"
            loaded_thread.metadata["a"]["b"] = 2
            _same_item(await store.load_item(thread.id, "item", self._ada), expected)
            again = await store.load_thread(thread.id, self._ada)
            assert (again.title, again.metadata) == ("title", {"a": {"b": 1}}), "changed without save_thread()"

        self._run(check)

    # Pages

    def test_pages_of_every_size_hold_each_item_once_in_both_orders(self) -> None:
        async def check(store: AnyStore) -> None:
            thread = await self._thread(store)
            assert await self._ids(store, thread.id) == []
            names = [item.id for item in await self._fill(store, thread, 9)]
            for size in (1, 2, 3, 4, 8, 9, 10, 1000):
                for order, expected in (("asc", names), ("desc", names[::-1])):
                    found = [item.id for item in await _all_items(store, thread.id, self._ada, order, size)]
                    assert found == expected, f"{order}, pages of {size}"

        self._run(check)

    def test_a_page_says_whether_there_is_more_and_where_it_goes_on(self) -> None:
        async def check(store: AnyStore) -> None:
            thread = await self._thread(store)
            names = [item.id for item in await self._fill(store, thread, 4)]

            async def page(after: str | None, limit: int, order: str) -> tuple[list[str], bool, str | None]:
                found = await store.load_thread_items(thread.id, after, limit, order, self._ada)
                return [item.id for item in found.data], found.has_more, found.after if found.has_more else None

            assert await page(None, 2, "asc") == (names[:2], True, names[1])
            assert await page(names[1], 2, "asc") == (names[2:], False, None)
            assert await page(names[0], 2, "asc") == (names[1:3], True, names[2])
            assert await page(names[2], 2, "desc") == (names[1::-1], False, None)
            assert await page(names[3], 2, "desc") == (names[2:0:-1], True, names[1])
            assert await page(names[3], 2, "asc") == ([], False, None)
            assert await page(None, 4, "asc") == (names, False, None)

        self._run(check)

    def test_paging_while_others_write_misses_nothing_and_repeats_nothing(self) -> None:
        async def check(store: AnyStore) -> None:
            thread = await self._thread(store)
            earlier = [item.id for item in await self._fill(store, thread, 60)]
            for order in ("asc", "desc"):
                stop = asyncio.Event()
                writers = [asyncio.create_task(self._write_until(store, thread, stop)) for _ in range(3)]
                try:
                    found = await _page_ids(store, thread.id, self._ada, order, 7, most=200)
                finally:
                    stop.set()
                    written = await asyncio.gather(*writers)
                assert any(written), "nothing was written meanwhile"
                twice = [name for name, times in Counter(found).items() if times > 1]
                assert not twice, f"{order}: twice in the pages: {twice}"
                expected = earlier if order == "asc" else earlier[::-1]
                assert [name for name in found if name in set(earlier)] == expected, f"{order}: earlier items"

        self._run(check)

    def test_ten_thousand_items_in_one_thread(self) -> None:
        async def check(store: AnyStore) -> None:
            thread = await self._thread(store)
            batches = [[f"item_{batch:02}_{number:03}" for number in range(200)] for batch in range(MANY // 200)]
            for names in batches:
                items = [message(thread.id, name, _time()) for name in names]
                await asyncio.gather(*(store.add_thread_item(thread.id, item, self._ada) for item in items))
            found = await self._ids(store, thread.id, size=500)
            assert len(found) == MANY
            for batch, names in enumerate(batches):
                assert sorted(found[batch * 200 : (batch + 1) * 200]) == names, "items are missing or out of order"
            middle = await store.load_thread_items(thread.id, found[5000], 3, "desc", self._ada)
            assert [item.id for item in middle.data] == found[4999:4996:-1]
            newest = await store.load_thread_items(thread.id, None, 1, "desc", self._ada)
            assert (newest.data[0].id, newest.has_more) == (found[-1], True)

        self._run(check)

    # Many at a time

    def test_concurrent_writers_lose_nothing(self) -> None:
        async def check(store: AnyStore) -> None:
            thread = await self._thread(store)

            async def write(writer: int) -> list[str]:
                names = [f"w{writer}_{number:02}" for number in range(25)]
                for name in names:
                    await store.add_thread_item(thread.id, message(thread.id, name, _time()), self._ada)
                return names

            written = await asyncio.gather(*(write(writer) for writer in range(20)))
            found = await self._ids(store, thread.id, size=50)
            assert Counter(found) == Counter(itertools.chain(*written)), "items were lost or doubled"
            for names in written:
                own = set(names)
                assert [name for name in found if name in own] == names, "a writer's items are out of order"

        self._run(check)

    def test_concurrent_saves_of_one_item_leave_one(self) -> None:
        async def check(store: AnyStore) -> None:
            thread = await self._thread(store)
            texts = [f"text {number}" for number in range(20)]
            saves = (store.save_item, store.add_thread_item)
            await asyncio.gather(
                *(
                    saves[number % 2](thread.id, message(thread.id, "one", _time(), text), self._ada)
                    for number, text in enumerate(texts)
                )
            )
            (item,) = await _all_items(store, thread.id, self._ada, "asc", 5)
            assert item.type == "user_message"
            assert item.content[0].text in texts

        self._run(check)

    def test_threads_of_concurrent_writers_are_all_there(self) -> None:
        async def check(store: AnyStore) -> None:
            made = await asyncio.gather(*(self._thread(store, title=str(number)) for number in range(50)))
            found = await _all_threads(store, self._ada, "desc", 7)
            assert sorted(found) == sorted(thread.id for thread in made)

        self._run(check)

    # Whose

    def test_a_user_sees_nothing_of_anothers_threads(self) -> None:
        async def check(store: AnyStore) -> None:
            thread = await self._thread(store)
            (item,) = await self._fill(store, thread, 1)
            await _not_found("load_thread", store.load_thread(thread.id, self._bob))
            await _not_found("load_thread_items", store.load_thread_items(thread.id, None, 10, "asc", self._bob))
            await _not_found("load_item", store.load_item(thread.id, item.id, self._bob))
            assert (await store.load_threads(10, None, "desc", self._bob)).data == []
            await _not_found("load_threads", store.load_threads(10, thread.id, "desc", self._bob))
            # Through a thread of one's own neither.
            own = await self._thread(store, self._bob)
            await _not_found("load_item", store.load_item(own.id, item.id, self._bob))
            await _not_found("load_thread_items", store.load_thread_items(own.id, item.id, 9, "asc", self._bob))

        self._run(check)

    def test_a_user_changes_nothing_of_anothers_threads(self) -> None:
        async def check(store: AnyStore) -> None:
            thread = await self._thread(store, title="Ada's")
            (item,) = await self._fill(store, thread, 1)
            attempts: list[Callable[[], Awaitable[None]]] = [
                lambda: store.save_thread(thread.model_copy(update={"title": "Bob's"}), self._bob),
                lambda: store.add_thread_item(thread.id, message(thread.id, "new", _time()), self._bob),
                lambda: store.add_thread_item(thread.id, message(thread.id, item.id, _time(), "Bob's"), self._bob),
                lambda: store.save_item(thread.id, message(thread.id, item.id, _time(), "Bob's"), self._bob),
                lambda: store.delete_thread_item(thread.id, item.id, self._bob),
                lambda: store.delete_thread(thread.id, self._bob),
            ]
            for attempt in attempts:
                await _refused_or_ignored(attempt())
                _same_thread(await store.load_thread(thread.id, self._ada), thread)
                (found,) = await _all_items(store, thread.id, self._ada, "asc", 5)
                _same_item(found, item)
            assert await _all_threads(store, self._ada, "desc", 5) == [thread.id]

        self._run(check)

    def test_each_user_lists_their_own_threads(self) -> None:
        async def check(store: AnyStore) -> None:
            made: dict[str, list[str]] = {ADA: [], BOB: []}
            for number in range(10):
                user = (ADA, BOB)[number % 2]
                made[user].append((await self._thread(store, self.context(user), created_at=_time(hours=number))).id)
            for user, threads in made.items():
                assert await _all_threads(store, self.context(user), "asc", 2) == threads

        self._run(check)

    # Attachments

    def test_an_attachment_comes_back_as_it_was_saved_last(self) -> None:
        async def check(store: AnyStore) -> None:
            thread = await self._thread(store)
            for attachment in samples.attachments(None, "att"):
                await store.save_attachment(attachment.model_copy(deep=True), self._ada)
                assert await store.load_attachment(attachment.id, self._ada) == attachment
                sent = attachment.model_copy(update={"thread_id": thread.id, "metadata": {"file_id": "file_2"}})
                await store.save_attachment(sent.model_copy(deep=True), self._ada)
                assert await store.load_attachment(attachment.id, self._ada) == sent

        self._run(check)

    def test_a_message_comes_back_with_its_attachments(self) -> None:
        async def check(store: AnyStore) -> None:
            thread = await self._thread(store)
            item = message(thread.id, "item", _time())
            item.attachments = samples.attachments(thread.id, "att")
            for attachment in item.attachments:
                await store.save_attachment(attachment.model_copy(deep=True), self._ada)
            await store.add_thread_item(thread.id, item.model_copy(deep=True), self._ada)
            _same_item(await store.load_item(thread.id, "item", self._ada), item)
            (found,) = await _all_items(store, thread.id, self._ada, "asc", 5)
            _same_item(found, item)

        self._run(check)

    def test_a_deleted_attachment_is_gone(self) -> None:
        async def check(store: AnyStore) -> None:
            first, second = samples.attachments(None, "att")
            for attachment in (first, second):
                await store.save_attachment(attachment, self._ada)
            await store.delete_attachment(first.id, self._ada)
            await _not_found("load_attachment", store.load_attachment(first.id, self._ada))
            assert await store.load_attachment(second.id, self._ada) == second
            await _not_found("load_attachment", store.load_attachment("att_none", self._ada))

        self._run(check)

    def test_a_user_sees_and_changes_nothing_of_anothers_attachments(self) -> None:
        async def check(store: AnyStore) -> None:
            attachment, _ = samples.attachments(None, "att")
            await store.save_attachment(attachment, self._ada)
            await _not_found("load_attachment", store.load_attachment(attachment.id, self._bob))
            await _refused_or_ignored(store.delete_attachment(attachment.id, self._bob))
            await _refused_or_ignored(store.save_attachment(attachment.model_copy(update={"name": "Bob's"}), self._bob))
            assert await store.load_attachment(attachment.id, self._ada) == attachment

        self._run(check)

    # Ids

    def test_generated_ids_do_not_repeat(self) -> None:
        async def check(store: AnyStore) -> None:
            thread = self._new_thread(store)
            made = [store.generate_thread_id(self._ada) for _ in range(1000)]
            made += [store.generate_item_id(kind, thread, self._ada) for kind in KINDS for _ in range(1000)]
            assert all(made)
            assert len(set(made)) == len(made)

        self._run(check)

    # How

    @property
    def _ada(self) -> Any:
        return self.context(ADA)

    @property
    def _bob(self) -> Any:
        return self.context(BOB)

    def _run(self, check: Callable[[AnyStore], Coroutine[Any, Any, None]]) -> None:
        async def run() -> None:
            async with self._store() as store:
                await check(store)

        asyncio.run(run())

    @asynccontextmanager
    async def _store(self) -> AsyncIterator[AnyStore]:
        store = await self.make_store()
        try:
            yield store
        finally:
            await self.close_store(store)

    def _new_thread(self, store: AnyStore, context: Any = None, **members: Any) -> ThreadMetadata:
        members.setdefault("created_at", datetime.now())  # noqa: DTZ005 - as chatkit does
        return ThreadMetadata(id=store.generate_thread_id(context or self._ada), **members)

    async def _thread(self, store: AnyStore, context: Any = None, **members: Any) -> ThreadMetadata:
        """A thread, stored."""
        thread = self._new_thread(store, context, **members)
        await store.save_thread(thread.model_copy(deep=True), context or self._ada)
        return thread

    async def _fill(self, store: AnyStore, thread: ThreadMetadata, count: int) -> list[ThreadItem]:
        """Messages at the end of a thread."""
        added: list[ThreadItem] = []
        for number in range(count):
            item_id = store.generate_item_id("message", thread, self._ada)
            added.append(message(thread.id, item_id, _time(seconds=number), f"message {number}"))
            await store.add_thread_item(thread.id, added[-1].model_copy(deep=True), self._ada)
        return added

    async def _ids(self, store: AnyStore, thread_id: str, size: int = 20) -> list[str]:
        return [item.id for item in await _all_items(store, thread_id, self._ada, "asc", size)]

    async def _write_until(self, store: AnyStore, thread: ThreadMetadata, stop: asyncio.Event) -> int:
        """Add and replace items until told to stop; returns how many were added."""
        added = 0
        while not stop.is_set():
            (item,) = await self._fill(store, thread, 1)
            await store.save_item(thread.id, item.model_copy(deep=True), self._ada)
            added += 1
            await asyncio.sleep(0)
        return added


def _time(**after: float) -> datetime:
    """A time as chatkit makes them, without a zone."""
    return datetime(2026, 5, 4, 12, 0, 0, 123456) + timedelta(**after)  # noqa: DTZ001


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)


def _comparable(model: T) -> T:
    time: datetime = model.created_at  # type: ignore[attr-defined]
    copy: T = model.model_copy(update={"created_at": _utc(time)})  # type: ignore[attr-defined]
    return copy


def _same_thread(found: ThreadMetadata, expected: ThreadMetadata) -> None:
    # A store may give back a subclass; what counts is what it says.
    found_members = {name: getattr(found, name) for name in ThreadMetadata.model_fields}
    assert _comparable(ThreadMetadata(**found_members)) == _comparable(expected)


def _same_item(found: ThreadItem, expected: ThreadItem) -> None:
    assert _comparable(found) == _comparable(expected), f"{expected.type} came back changed"


async def _not_found(what: str, call: Awaitable[object]) -> None:
    try:
        found = await call
    except NotFoundError:
        return
    raise AssertionError(f"{what}() must raise NotFoundError; it returned {found!r}")


async def _refused_or_ignored(call: Awaitable[object]) -> None:
    try:
        await call
    except NotFoundError:
        return


async def _all_items(store: AnyStore, thread_id: str, context: Any, order: str, size: int) -> list[ThreadItem]:
    """Every item, page by page."""

    async def load(after: str | None) -> Page[ThreadItem]:
        return await store.load_thread_items(thread_id, after, size, order, context)

    return [item async for page in _pages(load, size) for item in page]


async def _page_ids(store: AnyStore, thread_id: str, context: Any, order: str, size: int, *, most: int) -> list[str]:
    """The ids on at most `most` pages: a thread that grows while it is read may have no end."""

    async def load(after: str | None) -> Page[ThreadItem]:
        await asyncio.sleep(0)
        return await store.load_thread_items(thread_id, after, size, order, context)

    found: list[str] = []
    async for page in _pages(load, size):
        found += [item.id for item in page]
        most -= 1
        if not most:
            break
    return found


async def _all_threads(store: AnyStore, context: Any, order: str, size: int) -> list[str]:
    """The ids of all threads of a user, page by page."""

    async def load(after: str | None) -> Page[ThreadMetadata]:
        return await store.load_threads(size, after, order, context)

    return [thread.id async for page in _pages(load, size) for thread in page]


async def _pages(load: Callable[[str | None], Awaitable[Page[T]]], size: int) -> AsyncIterator[Sequence[T]]:
    after: str | None = None
    cursors = set[str]()
    while True:
        page = await load(after)
        assert len(page.data) <= size, f"a page of {size} has {len(page.data)} entries"
        yield page.data
        if not page.has_more:
            return
        assert page.data, "a page says that there is more and is empty"
        last: Any = page.data[-1]
        assert page.after == last.id, "after must be the id of the page's last entry"
        assert last.id not in cursors, "pages go round in a circle"
        cursors.add(last.id)
        after = page.after
