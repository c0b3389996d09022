"""The conformance suite passes a store that keeps to everything, and catches each store that breaks one promise."""

from __future__ import annotations

from typing import Any

import pytest
from chatkit.store import NotFoundError, Store

from chatdock.conformance import StoreConformance
from tests.stores import memory


def suite(kind: type[memory.MemoryStore]) -> StoreConformance:
    """The suite over stores of this kind."""

    class Suite(StoreConformance):
        async def make_store(self) -> Store[Any]:
            return kind()

    return Suite()


class TestMemoryStore(StoreConformance):
    """The positive control: what follows fails for what is broken, not because it always does."""

    async def make_store(self) -> Store[Any]:
        """An empty one."""
        return memory.MemoryStore()


CAUGHT_BY: dict[type[memory.MemoryStore], list[str]] = {
    memory.ForgetsTheUser: [
        "a_user_sees_nothing_of_anothers_threads",
        "a_user_changes_nothing_of_anothers_threads",
    ],
    memory.ListsEverybodysThreads: ["a_user_sees_nothing_of_anothers_threads", "each_user_lists_their_own_threads"],
    memory.LetsAnyoneDeleteAThread: ["a_user_changes_nothing_of_anothers_threads"],
    memory.TakesOverForeignAttachments: ["a_user_sees_and_changes_nothing_of_anothers_attachments"],
    memory.PagesByNumber: ["paging_while_others_write_misses_nothing_and_repeats_nothing"],
    memory.StartsAgainAtAnUnknownCursor: ["an_unknown_cursor_is_not_found"],
    memory.SaysMoreWhenAPageIsFull: ["a_page_says_whether_there_is_more_and_where_it_goes_on"],
    memory.IncludesTheCursor: [
        "pages_of_every_size_hold_each_item_once_in_both_orders",
        "threads_are_listed_by_their_time_in_both_orders",
    ],
    memory.OrdersItemsByTime: ["items_stand_in_the_order_in_which_they_were_added"],
    memory.MovesReplacedItemsToTheEnd: ["an_item_with_a_known_id_takes_the_place_of_the_one_before"],
    memory.RefusesToDeleteWhatIsNotThere: ["deleting_an_item_that_was_never_stored_is_no_error"],
    memory.HidesHiddenItems: ["hidden_items_are_kept_and_listed", "items_of_every_type_come_back_equal"],
    memory.LosesConcurrentWrites: ["concurrent_writers_lose_nothing", "ten_thousand_items_in_one_thread"],
    memory.KeepsItemsOfDeletedThreads: ["a_deleted_thread_is_gone_with_its_items"],
    memory.ReturnsItsOwnObjects: ["what_was_loaded_or_saved_is_the_callers_own"],
    memory.LeavesOutNulls: ["items_of_every_type_come_back_equal"],
    memory.DropsAttachmentMetadata: ["a_message_comes_back_with_its_attachments"],
    memory.ShiftsTimes: ["items_of_every_type_come_back_equal"],
    memory.DropsFractionsOfSeconds: ["a_time_stays_the_same_moment", "a_thread_comes_back_as_it_was_saved"],
    memory.CutsLongTexts: ["a_big_item_comes_back_equal"],
    memory.ForgetsWhyAThreadIsLocked: ["a_thread_comes_back_as_it_was_saved"],
    memory.RepeatsIds: ["generated_ids_do_not_repeat"],
}


@pytest.mark.parametrize(
    ("kind", "test"),
    [(kind, test) for kind, tests in CAUGHT_BY.items() for test in tests],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_store_that_breaks_a_promise_is_caught(kind: type[memory.MemoryStore], test: str) -> None:
    with pytest.raises((AssertionError, NotFoundError, ValueError)):
        getattr(suite(kind), f"test_{test}")()


def test_a_suite_without_a_store_says_what_is_missing() -> None:
    with pytest.raises(NotImplementedError, match="make_store"):
        StoreConformance().test_generated_ids_do_not_repeat()
