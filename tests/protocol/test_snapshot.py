"""Folding what is stored never raises, whatever it holds, and makes no more of it than was there."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatdock.protocol import kinds
from chatdock.protocol.frames import ITEM
from chatdock.protocol.snapshot import MAX_INDEX, UPDATES, Snapshot, Unfit, finished

ITEM_IDS = st.sampled_from(["a", "b"])
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-(1 << 62), 1 << 62), st.floats(allow_nan=False), st.text(max_size=5)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
)
INDEX = st.one_of(st.integers(0, 3), st.sampled_from([-1, 1000, 1001, 1 << 40, True, 0.0, "0", None]), JSON)
NODES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.fixed_dictionaries({"type": st.sampled_from(["Text", "Box", [], {}]), "id": st.one_of(ITEM_IDS, JSON)}), JSON
    ),
    lambda inner: st.fixed_dictionaries(
        {"type": st.just("Box"), "children": st.one_of(inner, st.lists(inner, max_size=3))},
        optional={"id": ITEM_IDS, "value": JSON},
    ),
)
SHAPED = st.one_of(
    JSON,
    st.lists(st.fixed_dictionaries({"text": st.one_of(st.text(), JSON)}, optional={"annotations": JSON}), max_size=3),
    st.fixed_dictionaries({"tasks": st.one_of(st.lists(JSON, max_size=3), JSON)}),
    NODES,
)
PUT = st.fixed_dictionaries(
    {"type": st.one_of(st.sampled_from(sorted(kinds.ITEMS)), JSON), "id": st.one_of(ITEM_IDS, JSON)},
    optional={"content": SHAPED, "widget": NODES, "workflow": SHAPED, "image": JSON},
)
UPDATE = st.fixed_dictionaries(
    {"type": st.one_of(st.sampled_from(sorted(UPDATES)), JSON)},
    optional={
        "content_index": INDEX,
        "annotation_index": INDEX,
        "task_index": INDEX,
        "delta": st.one_of(st.text(), JSON),
        "content": SHAPED,
        "annotation": JSON,
        "component_id": st.one_of(ITEM_IDS, JSON),
        "component": NODES,
        "widget": NODES,
        "task": JSON,
        "image": JSON,
    },
)
EVENT = st.one_of(
    JSON,
    st.fixed_dictionaries(
        {"type": st.one_of(st.sampled_from(sorted(kinds.EVENTS)), JSON)},
        optional={"item": PUT, "item_id": st.one_of(ITEM_IDS, JSON), "update": UPDATE, "thread": JSON},
    ),
    st.fixed_dictionaries({"type": st.just("thread.item.added"), "item": PUT}),
    st.fixed_dictionaries({"type": st.just("thread.item.updated"), "item_id": ITEM_IDS, "update": UPDATE}),
)


def frames(*events: Any) -> bytes:
    return b"".join(b"data: %b\n\n" % orjson.dumps(event) for event in events)


def update(kind: str, **members: Any) -> Any:
    return {"type": "thread.item.updated", "item_id": "a", "update": {"type": kind, **members}}


def add(kind: str, **members: Any) -> Any:
    return {"type": "thread.item.added", "item": {"type": kind, "id": "a", **members}}


@settings(max_examples=100, deadline=None)
@given(st.lists(EVENT, max_size=12))
@example([add("assistant_message", content=[]), update("workflow.task.added", task_index=0, task={})])
@example(
    [
        add("assistant_message", content=[3]),
        update("assistant_message.content_part.text_delta", content_index=0, delta="x"),
    ]
)
def test_whatever_is_stored_can_be_folded_shown_and_finished(events: list[Any]) -> None:
    stored = frames(*events)
    snapshot = Snapshot().apply(stored)
    shown = list(snapshot.events())
    assert all(isinstance(orjson.loads(event), dict) for event in shown)
    assert sum(map(len, shown)) <= 3 * len(stored) + 100 * len(events)
    for draft in snapshot.open_items():
        assert isinstance(draft["id"], str)
        if (kept := finished(draft)) is not None:
            ITEM.validate_json(kept)
    again = Snapshot().apply(b"".join(b"data: %b\n\n" % event for event in shown))
    assert list(again.items) == list(snapshot.items)


@given(st.binary(max_size=60))
def test_what_is_no_json_is_passed_over(data: bytes) -> None:
    item = add("assistant_message", content=[])
    snapshot = Snapshot().apply(b"data: " + data.replace(b"\n", b"") + b"\n\n" + frames(item))
    assert snapshot.open_items() == [item["item"]]


@pytest.mark.parametrize("depth", [100, 400, 1000])
def test_what_is_nested_too_deeply_to_be_written_is_left_out(depth: int) -> None:
    text = b'{"type":"Text","id":"t","value":""}'
    widget = b'{"type":"Box","children":[' * depth + text + b"]}" * depth
    snapshot = Snapshot()
    item = b'{"type":"thread.item.added","item":{"type":"widget","id":"a","widget":%b}}' % widget
    snapshot.apply(b"data: %b\n\n" % item)
    snapshot.apply(frames(update("widget.streaming_text.value_delta", component_id="t", delta="x")))
    assert len(list(snapshot.events())) == (depth == 100)


@pytest.mark.parametrize("index", [1, MAX_INDEX + 1, 1 << 40, -1, True, 0.5, "0", None])
def test_an_index_beyond_what_is_there_is_refused_and_nothing_grows(index: Any) -> None:
    for item, kind, members in (
        (add("assistant_message", content=[]), "assistant_message.content_part.text_delta", {"delta": "x"}),
        (add("assistant_message", content=[]), "assistant_message.content_part.added", {"content": {"text": ""}}),
        (add("workflow", workflow={"tasks": []}), "workflow.task.added", {"task": {}}),
        (add("workflow", workflow={"tasks": [{}]}), "workflow.task.updated", {"task": {"a": 1}}),
    ):
        snapshot = Snapshot().apply(frames(item))
        with pytest.raises(Unfit, match=r"content_index|task_index"):
            snapshot.fold(update(kind, content_index=index, task_index=index, **members))
        assert snapshot.open_items() == [item["item"]]


def test_a_citation_is_inserted_where_it_says() -> None:
    part = {"type": "output_text", "text": "x", "annotations": [{"n": 1}, {"n": 2}]}
    snapshot = Snapshot().apply(frames(add("assistant_message", content=[part])))
    kind = "assistant_message.content_part.annotation_added"
    snapshot.fold(update(kind, content_index=0, annotation_index=1, annotation={"n": 3}))
    assert [each["n"] for each in snapshot.items["a"]["content"][0]["annotations"]] == [1, 3, 2]
    with pytest.raises(Unfit, match="annotation_index"):
        snapshot.fold(update(kind, content_index=0, annotation_index=1 << 40, annotation={}))


def test_an_update_of_another_kind_of_item_is_refused() -> None:
    items = {
        "assistant_message": add("assistant_message", content=[]),
        "widget": add("widget", widget={"type": "Card", "children": []}),
        "workflow": add("workflow", workflow={"type": "custom", "tasks": []}),
        "generated_image": add("generated_image"),
        "task": add("task", task={"type": "custom"}),
    }
    for name, item in items.items():
        for kind in UPDATES:
            snapshot = Snapshot().apply(frames(item))
            if kind not in kinds.ITEMS[name].updates:
                with pytest.raises(Unfit, match=f"does not fit a {name}"):
                    snapshot.fold(update(kind))


def test_what_is_not_being_streamed_cannot_be_updated() -> None:
    delta = update("assistant_message.content_part.text_delta", content_index=0, delta="x")
    done = {"type": "thread.item.done", "item": add("assistant_message", content=[])["item"]}
    for before in ([], [done], [add("assistant_message", content=[]), {"type": "thread.item.removed", "item_id": "a"}]):
        with pytest.raises(Unfit, match="not being streamed"):
            Snapshot().apply(frames(*before)).fold(delta)


def test_components_are_found_by_their_ids_after_each_change_of_the_widget() -> None:
    def text(name: str, value: str = "", kind: str = "Text") -> Any:
        return {"type": kind, "id": name, "value": value}

    def grow(name: str, delta: str) -> Any:
        return update("widget.streaming_text.value_delta", component_id=name, delta=delta, done=False)

    tree = {"type": "Card", "children": [text("t", "a"), {"type": "Box", "id": "box", "children": text("inner", "b")}]}
    snapshot = Snapshot().apply(frames(add("widget", widget=tree), grow("t", "1"), grow("inner", "2"), grow("t", "3")))
    assert snapshot.items["a"]["widget"]["children"][0]["value"] == "a13"
    box = {"type": "Box", "id": "box", "children": [text("other", "c", "Markdown")]}
    snapshot.apply(frames(update("widget.component.updated", component_id="box", component=box), grow("other", "4")))
    assert snapshot.items["a"]["widget"]["children"][1]["children"] == [text("other", "c4", "Markdown")]
    for gone in ("inner", "nobody"):
        with pytest.raises(Unfit, match="no component with the id"):
            snapshot.fold(grow(gone, "x"))
    with pytest.raises(Unfit, match="neither Text nor Markdown"):
        snapshot.fold(grow("box", "x"))
    snapshot.apply(
        frames(update("widget.root.updated", widget={"type": "Card", "children": [text("new")]}), grow("new", "5"))
    )
    assert snapshot.items["a"]["widget"]["children"] == [text("new", "5")]


def test_every_update_folds() -> None:
    assert set(UPDATES) == {update for kind in kinds.ITEMS.values() for update in kind.updates}


LASTING: dict[str, Any] = {
    "thread.created": {"thread": {"id": "cthr_1"}},
    "thread.updated": {"thread": {"id": "cthr_1"}},
    "thread.item.added": {"item": {"type": "end_of_turn", "id": "b"}},
    "thread.item.updated": update("assistant_message.content_part.text_delta", content_index=0, delta="x"),
    "thread.item.done": {"item": {"type": "end_of_turn", "id": "b"}},
    "thread.item.replaced": {"item": {"type": "end_of_turn", "id": "b"}},
    "thread.item.removed": {"item_id": "a"},
    "stream_options": {"stream_options": {"allow_cancel": True}},
    "progress_update": {"text": "x"},
}


@pytest.mark.parametrize("kind", kinds.EVENTS)
def test_what_lasts_is_told_to_who_joins_and_what_passes_is_not(kind: str) -> None:
    snapshot = Snapshot().apply(frames(add("assistant_message", content=[])))
    before = list(snapshot.events())
    snapshot.fold({**LASTING.get(kind, {}), "type": kind})
    assert (list(snapshot.events()) != before) == kinds.EVENTS[kind].lasting
