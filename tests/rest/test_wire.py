"""From REST back to the wire: what REST says of an item, the item says again once it was carried over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdock.conformance.samples import ITEMS, Make
from chatdock.protocol import rest
from chatdock.protocol.frames import dump_item
from chatdock.protocol.kinds import REST_TYPES
from chatdock.protocol.wire import UNFETCHED, NoWireForm, item_from_rest
from tests.rest.public_schema import assert_valid

Json = dict[str, Any]
WITH_A_REST_FORM = [make for kind in REST_TYPES for make in ITEMS[kind]]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def as_json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _kind(kind: str, **members: Any) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(
        {
            "id": st.just("cti_1"),
            "object": st.just("chatkit.thread_item"),
            "created_at": st.integers(0, 2**32),
            "thread_id": st.just("cthr_1"),
            "type": st.just(f"chatkit.{kind}"),
            **members,
        }
    )


def _typed(kind: str, **members: Any) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({"type": st.just(kind), **members})


words = texts.filter(bool)
maybe = st.none() | words
citations = _typed("file", source=_typed("file", filename=texts)) | _typed("url", source=_typed("url", url=texts))
calls = _kind(
    "client_tool_call",
    call_id=texts,
    name=texts,
    arguments=st.dictionaries(texts, values, max_size=3).map(as_json),
)
ITEMS_OF_REST: dict[str, st.SearchStrategy[Json]] = {
    "user_message": st.builds(
        lambda item, quoted: {**item, "content": quoted + item["content"]},
        _kind(
            "user_message",
            content=st.lists(_typed("input_text", text=texts), max_size=3),
            attachments=st.just([]),
            inference_options=st.none()
            | st.fixed_dictionaries({"tool_choice": st.none(), "model": words})
            | st.fixed_dictionaries({"tool_choice": st.fixed_dictionaries({"id": texts}), "model": maybe}),
        ),
        st.lists(_typed("quoted_text", text=words), max_size=1),
    ),
    "assistant_message": _kind(
        "assistant_message",
        content=st.lists(_typed("output_text", text=texts, annotations=st.lists(citations, max_size=3)), max_size=3),
    ),
    "completed_call": st.builds(
        lambda call, output: {**call, "status": "completed", "output": as_json(output)}, calls, values
    ),
    "pending_call": calls.map(lambda call: {**call, "status": "in_progress", "output": None}),
    "widget": _kind(
        "widget",
        widget=st.dictionaries(st.sampled_from(["title", "rows", "x"]), values, max_size=3).map(
            lambda extra: as_json({"type": "Card", "children": [{"type": "Text", "value": "hi"}], **extra})
        ),
    ),
    "task": _kind("task", task_type=st.just("custom"), heading=maybe, summary=maybe),
    "thought": _kind("task", task_type=st.just("thought"), heading=maybe, summary=maybe),
    "task_group": _kind(
        "task_group",
        tasks=st.lists(
            st.one_of([_typed(kind, heading=maybe, summary=maybe) for kind in ("custom", "thought")]),
            max_size=3,
        ),
    ),
}


@pytest.mark.parametrize("kind", ITEMS_OF_REST)
@given(data=st.data())
def test_what_rest_says_of_an_item_is_said_again(kind: str, data: st.DataObject) -> None:
    said = data.draw(ITEMS_OF_REST[kind])
    assert_valid(_page(said), "get", "/chatkit/threads/{thread_id}/items")
    carried = item_from_rest(said)
    assert not carried.left_out
    assert again(carried.data) == said


@pytest.mark.parametrize("make", WITH_A_REST_FORM)
def test_an_item_of_ours_comes_back_as_rest_shows_it(make: Make) -> None:
    wire = dump_item(make("cthr_1", "cti_1", datetime.now(UTC)))
    shown = rest.item_from_wire(orjson.loads(wire)).model_dump(mode="json")
    assert again(item_from_rest(shown).data) == shown


def test_an_attachment_keeps_its_name_its_type_and_its_id() -> None:
    file = {"type": "image", "id": "cfile_1", "name": "photo.png", "mime_type": "image/png", "preview_url": "https://x"}
    item = {
        **_common("user_message"),
        "content": [],
        "attachments": [file, {**file, "id": "cfile_2"}],
        "inference_options": None,
    }
    carried = item_from_rest(item)
    assert orjson.loads(carried.data)["attachments"] == [
        {"type": "file", "id": name, "name": "photo.png", "mime_type": "image/png"} for name in ("cfile_1", "cfile_2")
    ]
    assert carried.left_out == {UNFETCHED: 2}


def test_several_quotes_become_one() -> None:
    quotes = [{"type": "quoted_text", "text": text} for text in ("one", "two")]
    item = {**_common("user_message"), "content": quotes, "attachments": [], "inference_options": None}
    assert orjson.loads(item_from_rest(item).data)["quoted_text"] == "one\n\ntwo"


def test_output_that_is_no_json_stays_text() -> None:
    call = {"status": "completed", "call_id": "c", "name": "n", "arguments": "{}", "output": "no JSON"}
    assert orjson.loads(item_from_rest({**_common("client_tool_call"), **call}).data)["output"] == "no JSON"


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ({"type": "chatkit.hologram"}, "items of type 'chatkit.hologram'"),
        ({"type": None}, "items of type 'None'"),
        ({"type": "chatkit.widget", "widget": "{"}, "items of type 'chatkit.widget' that are not as the API"),
        ({"type": "chatkit.widget", "widget": "[]"}, "items of type 'chatkit.widget' that are not as the API"),
        ({"type": "chatkit.widget", "widget": "[" * 5000}, "items of type 'chatkit.widget' that are not as the API"),
        ({"type": "chatkit.task_group", "tasks": [None]}, "items of type 'chatkit.task_group' that are not"),
        ({"type": "chatkit.assistant_message", "content": [], "created_at": 1e30}, "items of type 'chatkit.assistant"),
    ],
)
def test_what_has_no_wire_form_says_which_kind_it_is(members: Json, kind: str) -> None:
    with pytest.raises(NoWireForm, match=r"^items of type") as refused:
        item_from_rest({**_common("x"), **members})
    assert str(refused.value).startswith(kind)


def test_parts_and_citations_of_unknown_types_are_counted_and_the_message_comes() -> None:
    annotations = [{"type": "map"}, {"type": "url", "source": None}, None]
    text = {"type": "output_text", "text": "cited", "annotations": annotations}
    carried = item_from_rest({**_common("assistant_message"), "content": [text, {"type": "refusal", "refusal": "No"}]})
    assert carried.left_out == {
        "citations of type 'map'": 1,
        "citations of type 'url'": 1,
        "citations that are not as the API describes them": 1,
        "parts of type 'refusal' in assistants' messages": 1,
    }
    assert orjson.loads(carried.data)["content"] == [{**text, "annotations": []}]
    said = [{"type": "input_text", "text": "hi"}, {"type": "input_audio", "data": "AA=="}]
    file = {"type": "file", "id": "cfile_1", "name": None, "mime_type": None, "preview_url": None}
    carried = item_from_rest({**_common("user_message"), "content": said, "attachments": [file]})
    assert carried.left_out == {
        "parts of type 'input_audio' in users' messages": 1,
        "attachments that are not as the API describes them": 1,
    }
    assert orjson.loads(carried.data)["content"] == said[:1]


def test_members_that_are_not_known_are_counted_where_they_say_something() -> None:
    more = {"voice": {"id": 1}, "rating": 5, "tags": [], "note": None, "object": "chatkit.thread_item"}
    carried = item_from_rest({**_common("task"), "task_type": "custom", "heading": "Looked", "summary": None, **more})
    assert carried.left_out == {f"members '{name}' of items of type 'chatkit.task'": 1 for name in ("voice", "rating")}


def test_a_call_that_is_neither_in_progress_nor_completed_is_not_executed_again() -> None:
    call = {"status": "failed", "call_id": "c", "name": "n", "arguments": "{}", "output": None}
    carried = item_from_rest({**_common("client_tool_call"), **call})
    assert orjson.loads(carried.data)["status"] == "completed"
    assert carried.left_out == {"status 'failed' of client tool calls, which became 'completed'": 1}


def test_tasks_of_unknown_types_are_shown_as_any_other() -> None:
    task = {"type": "web_search", "heading": "Searched", "summary": "Two pages"}
    carried = item_from_rest({**_common("task_group"), "tasks": [task, {**task, "type": "thought"}]})
    assert carried.left_out == {"type 'web_search' of tasks, which became 'custom'": 1}
    assert again(carried.data)["tasks"] == [{**task, "type": "custom"}, {**task, "type": "thought"}]


@pytest.mark.parametrize("half", ["\\ud83d", "\\ud83d\\ud83d"])
def test_json_in_text_that_holds_half_a_character_comes_mended(half: str) -> None:
    call = {"status": "completed", "call_id": "c", "name": "n", "arguments": f'{{"a":"{half}"}}', "output": f'"{half}"'}
    carried = orjson.loads(item_from_rest({**_common("client_tool_call"), **call}).data)
    assert set(carried["arguments"]["a"]) == set(carried["output"]) == {"\N{REPLACEMENT CHARACTER}"}
    widget = f'{{"type":"Card","children":[{{"type":"Text","value":"{half}"}}]}}'
    assert item_from_rest({**_common("widget"), "widget": widget}).type == "widget"


def again(data: bytes) -> Json:
    """A stored item as REST shows it."""
    return rest.item_from_wire(orjson.loads(data)).model_dump(mode="json")


def _common(kind: str) -> Json:
    return {"id": "cti_1", "thread_id": "cthr_1", "created_at": 1_700_000_000, "type": f"chatkit.{kind}"}


def _page(item: Json) -> Json:
    return {"object": "list", "data": [item], "first_id": item["id"], "last_id": item["id"], "has_more": False}
