"""Pages are bounded in bytes too: whoever follows them sees every record once, and a page holds at least one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from chatdock.storage import items, threads
from tests.harness.client import Chat, Json
from tests.harness.server import ThreadServer, serving
from tests.rest.workflows import echo

PAGE_BYTES = 4096


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadServer]:
    with serving(tmp_path_factory.mktemp("pages"), [echo], page_bytes=PAGE_BYTES) as server:
        yield server


@pytest.fixture(scope="module")
def chat(small: ThreadServer) -> Chat:
    return small.backend.chat("pages")


SIZES = [10, 3000, 10, 10, 9000, 10, 3900, 3900, 1, 1, 5000]


@pytest.fixture(scope="module", params=["x", "好"], ids=["ascii", "three bytes"])
def thread(request: pytest.FixtureRequest, small: ThreadServer, chat: Chat) -> str:
    """A thread of eleven small and large items."""
    thread_id = chat.create().thread_id
    letter: str = request.param

    async def fill(tx: Any) -> None:
        await items.remove_all(tx, thread_id)
        for n, size in enumerate(SIZES):
            text = letter * (size // len(letter.encode()))
            item = {
                "id": f"cti_{n:02d}",
                "thread_id": thread_id,
                "created_at": "2026-01-01T00:00:00Z",
                "type": "assistant_message",
                "content": [{"type": "output_text", "text": text, "annotations": []}],
            }
            await items.add(tx, thread_id, item["id"], item["type"], orjson.dumps(item).decode())  # type: ignore[arg-type]

    small.call(lambda: small.world.database.write(fill))
    return thread_id


EXPECTED = [f"cti_{n:02d}" for n in range(len(SIZES))]


def check_pages(pages: list[list[Json]]) -> None:
    """Every page but the last is as full as it may be, and none is larger, unless it holds one record."""
    for page, after in zip(pages, [*pages[1:], []], strict=True):
        size = sum(len(orjson.dumps(entry)) for entry in page)
        assert len(page) == 1 or size <= PAGE_BYTES
        if after:
            assert page
            assert size + len(orjson.dumps(after[0])) > PAGE_BYTES - 200, "a page that could have held more"


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_whoever_follows_the_pages_of_items_sees_each_once(chat: Chat, thread: str, order: str) -> None:
    pages, after = [], None
    while True:
        page = chat.call("items.list", thread_id=thread, limit=100, order=order, after=after)
        pages.append(page["data"])
        if not page["has_more"]:
            assert "after" not in page
            break
        after = page["after"]
        assert after == page["data"][-1]["id"]
    seen = [item["id"] for page in pages for item in page]
    assert seen == (EXPECTED if order == "asc" else EXPECTED[::-1])
    assert len(pages) > 4
    check_pages(pages)


def test_a_thread_comes_with_its_first_page_and_goes_on_from_there(chat: Chat, thread: str) -> None:
    page = chat.call("threads.get_by_id", thread_id=thread)["items"]
    assert [item["id"] for item in page["data"]] == EXPECTED[:4]
    assert (page["has_more"], page["after"]) == (True, EXPECTED[3])
    rest = chat.call("items.list", thread_id=thread, order="asc", after=page["after"])
    assert [item["id"] for item in rest["data"]] == EXPECTED[4:5], "one item, larger than a page"


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("cursor", ["after", "before"])
def test_rest_pages_of_items_can_be_followed_both_ways(
    small: ThreadServer, thread: str, order: str, cursor: str
) -> None:
    pages: list[list[Json]] = []
    parameters: dict[str, Any] = {"limit": 100, "order": order}
    forward = cursor == "after"
    if not forward:
        last = EXPECTED[-1] if order == "asc" else EXPECTED[0]
        parameters["before"] = last
    while True:
        page = small.backend.get(f"threads/{thread}/items", **parameters)
        assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
        pages.append(page["data"])
        if not page["has_more"]:
            break
        parameters[cursor] = page["last_id"] if forward else page["first_id"]
    seen = [item["id"] for page in (pages if forward else pages[::-1]) for item in page]
    expected = EXPECTED if order == "asc" else EXPECTED[::-1]
    assert seen == (expected if forward else expected[:-1])
    assert len(pages) > 4


def test_threads_with_long_titles_come_in_smaller_pages(small: ThreadServer) -> None:
    chat = small.backend.chat("titles")
    made = [chat.create().thread_id for _ in range(12)]
    for thread_id in made:
        chat.call("threads.update", thread_id=thread_id, title="好" * 512)
    seen, after, pages = [], None, 0
    while True:
        page = chat.call("threads.list", limit=100, after=after, order="asc")
        seen += [thread["id"] for thread in page["data"]]
        assert len(page["data"]) <= 2
        pages += 1
        if not page["has_more"]:
            break
        after = page["after"]
    assert (seen, pages) == (made, 6)
    rest = small.backend.get("threads", user="titles", limit=100, order="asc")
    assert ([thread["id"] for thread in rest["data"]], rest["has_more"]) == (made[:2], True)


def test_what_a_workflow_keeps_with_a_thread_makes_no_page_smaller(small: ThreadServer) -> None:
    chat = small.backend.chat("state")
    made = [chat.create().thread_id for _ in range(3)]

    async def keep(tx: Any) -> None:
        for thread_id in made:
            await threads.save_state(tx, thread_id, '{"kept":"' + "x" * 10_000 + '"}')

    small.call(lambda: small.world.database.write(keep))
    page = chat.call("threads.list")
    assert (len(page["data"]), page["has_more"]) == (3, False)


def test_a_page_of_none_holds_none_and_says_whether_there_are_any(small: ThreadServer, thread: str) -> None:
    page = small.backend.get(f"threads/{thread}/items", limit=0)
    assert (page["data"], page["has_more"]) == ([], True)
    page = small.backend.get(f"threads/{thread}/items", limit=0, order="asc", after=EXPECTED[-1])
    assert (page["data"], page["has_more"]) == ([], False)
