"""What chatkit's types and some models get wrong is put right before anybody sees it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from chatkit import types

from chatdock import Turn
from tests.chat.conftest import Stage
from tests.chat.shapes import Script, added, answer, call, delta, done, updated

FAKE = "__fake_id__"


@pytest.mark.parametrize("zone", [None, UTC, timezone(timedelta(hours=5, minutes=30))])
def test_a_time_comes_out_in_utc_whatever_zone_it_was_given_in(stage: Stage, zone: timezone | None) -> None:
    instant = datetime(2026, 3, 4, 5, 6, 7, 891011, tzinfo=UTC)
    given = instant.astimezone(zone) if zone else instant.astimezone().replace(tzinfo=None)

    async def dated(turn: Turn) -> Script:
        item = answer(turn, "dated")
        item.created_at = given
        yield added(item)
        yield done(item)

    chat = stage.chat(dated)
    turn = chat.create()
    for event in [*turn.of("thread.item.added"), *turn.of("thread.item.done")[1:]]:
        assert event["item"]["created_at"].endswith(("Z", "+00:00"))
        assert datetime.fromisoformat(event["item"]["created_at"]) == instant
    stored = chat.items(turn.thread_id)[1]
    assert datetime.fromisoformat(stored["created_at"]) == instant
    rest = stage.backend.get(f"threads/{turn.thread_id}/items", order="asc")["data"][1]
    assert rest["created_at"] == int(instant.timestamp())


def test_every_time_has_a_zone(stage: Stage) -> None:
    chat = stage.chat()
    turn = chat.create()
    thread = chat.call("threads.get_by_id", thread_id=turn.thread_id)
    items = [event["item"] for event in turn.events if "item" in event]
    for record in [thread, *thread["items"]["data"], *items, *(e["thread"] for e in turn.events if "thread" in e)]:
        assert datetime.fromisoformat(record["created_at"]).tzinfo is not None


def test_an_item_of_a_chat_completions_model_gets_an_id_of_its_own(stage: Stage) -> None:
    async def streams(turn: Turn) -> Script:
        for text in ("first", "second"):
            item = answer(turn)
            item.id = FAKE
            yield added(item)
            yield delta(FAKE, text)
            content = types.AssistantMessageContent(text=text)
            yield updated(FAKE, types.AssistantMessageContentPartDone(content_index=0, content=content))
            yield done(item.model_copy(update={"content": [content]}))

    chat = stage.chat(streams)
    turn = chat.create()
    assert FAKE not in repr(turn.events)
    items = chat.items(turn.thread_id)[1:]
    assert [item["content"][0]["text"] for item in items] == ["first", "second"]
    assert len({item["id"] for item in items}) == 2
    assert all(item["id"].startswith("cti_") for item in items)
    first = [event for event in turn.events if items[0]["id"] in repr(event)]
    assert len(first) == 4


def test_fake_items_that_come_whole_do_not_replace_each_other(stage: Stage) -> None:
    async def whole(turn: Turn) -> Script:
        for text in ("first", "second"):
            yield done(answer(turn, text).model_copy(update={"id": FAKE}))
        yield done(call(turn).model_copy(update={"id": FAKE}))

    chat = stage.chat(whole)
    turn = chat.create()
    items = chat.items(turn.thread_id)
    assert [item["type"] for item in items] == [
        "user_message",
        "assistant_message",
        "assistant_message",
        "client_tool_call",
    ]
    assert FAKE not in repr(turn.events) + repr(items)


def test_an_item_stands_in_its_own_thread_whatever_it_says(stage: Stage) -> None:
    other = stage.chat().create().thread_id

    async def strays(turn: Turn) -> Script:
        yield done(answer(turn, "mine").model_copy(update={"thread_id": other}))

    chat = stage.chat(strays)
    turn = chat.create()
    assert turn.done("assistant_message")[0]["thread_id"] == turn.thread_id
    assert len(chat.items(turn.thread_id)) == 2
    assert len(stage.backend.get(f"threads/{other}/items")["data"]) == 2


@pytest.mark.parametrize("as_events", [False, True])
def test_halves_of_surrogate_pairs_from_a_model_become_replacement_characters(stage: Stage, as_events: bool) -> None:
    broken = "smile \ud83d and \ude00"

    async def stutters(turn: Turn) -> Script:
        if not as_events:
            yield broken
            return
        item = answer(turn)
        yield added(item)
        yield delta(item.id, broken)
        yield done(item.model_copy(update={"content": [types.AssistantMessageContent(text=broken)]}))

    chat = stage.chat(stutters)
    turn = chat.create()
    assert turn.outcome == "completed"
    assert turn.text == "smile \ufffd and \ufffd"
    assert chat.items(turn.thread_id)[1]["content"][0]["text"] == "smile \ufffd and \ufffd"


def test_a_pair_cut_in_two_by_the_model_is_whole_again_when_its_halves_meet(stage: Stage) -> None:
    async def stutters(turn: Turn) -> Script:
        yield "smile \ud83d"
        yield "\ude00 on"

    chat = stage.chat(stutters)
    turn = chat.create()
    assert turn.outcome == "completed"
    stored = chat.items(turn.thread_id)[1]["content"][0]["text"]
    assert stored in {"smile 😀 on", "smile \ufffd\ufffd on"}
    assert turn.text in {"smile 😀 on", "smile \ufffd\ufffd on"}


def test_any_text_passes_unchanged(stage: Stage) -> None:
    text = 'tab\tnewline\n\ncarriage\r\nreturn \u2028 \u2029 \x00 \x7f "quoted" \\ back\\nslash </script> 😀 é e\u0301 ‮'

    async def says(turn: Turn) -> Script:
        for character in text:
            yield character

    chat = stage.chat(says)
    turn = chat.create(text)
    assert turn.text == text
    question, reply = chat.items(turn.thread_id)
    assert question["content"][0]["text"] == text
    assert reply["content"][0]["text"] == text
