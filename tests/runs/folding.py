"""What a stream adds up to for a client, worked out without the product's own code."""

from __future__ import annotations

import copy
from typing import Any

from tests.harness.client import Frame, Json


def fold(frames: list[Frame]) -> Json:
    """Thread, stream options, progress, and the items in the order in which they appeared, `open` or not."""
    state: Json = {"thread": None, "options": None, "progress": None, "items": []}
    for frame in frames:
        if frame.event is not None:
            _apply(state, copy.deepcopy(frame.event))
    return state


def _apply(state: Json, event: Json) -> None:
    kind, items = event["type"], state["items"]
    if kind in {"thread.created", "thread.updated"}:
        state["thread"] = event["thread"]
    elif kind == "stream_options":
        state["options"] = event["stream_options"]
    elif kind == "progress_update":
        state["progress"] = event
    elif kind == "thread.item.added":
        state["progress"] = None
        items.append({"open": True, "item": event["item"]})
    elif kind in {"thread.item.done", "thread.item.replaced"}:
        place = _place(items, event["item"]["id"])
        entry = {"open": False, "item": event["item"]}
        if place is None:
            items.append(entry)
        else:
            items[place] = entry
    elif kind == "thread.item.removed":
        items[:] = [entry for entry in items if entry["item"]["id"] != event["item_id"]]
    elif kind == "thread.item.updated":
        place = _place(items, event["item_id"])
        assert place is not None, f"an update of an item that never came: {event}"
        _update(items[place]["item"], event["update"])
    else:
        raise AssertionError(f"nobody said what {kind} does")


def _place(items: list[Any], item_id: str) -> int | None:
    return next((n for n, entry in enumerate(items) if entry["item"]["id"] == item_id), None)


def _update(item: Json, update: Json) -> None:
    kind = update["type"]
    if kind == "assistant_message.content_part.added":
        assert len(item["content"]) == update["content_index"]
        item["content"].append(update["content"])
    elif kind == "assistant_message.content_part.text_delta":
        item["content"][update["content_index"]]["text"] += update["delta"]
    elif kind == "assistant_message.content_part.done":
        item["content"][update["content_index"]] = update["content"]
    elif kind == "assistant_message.content_part.annotation_added":
        annotations = item["content"][update["content_index"]]["annotations"]
        annotations.insert(update["annotation_index"], update["annotation"])
    elif kind == "widget.root.updated":
        item["widget"] = update["widget"]
    elif kind == "widget.streaming_text.value_delta":
        component = next(c for c in item["widget"]["children"] if c.get("id") == update["component_id"])
        component["value"] += update["delta"]
    elif kind == "workflow.task.added":
        item["workflow"]["tasks"].insert(update["task_index"], update["task"])
    elif kind == "workflow.task.updated":
        item["workflow"]["tasks"][update["task_index"]] = update["task"]
    else:
        raise AssertionError(f"nobody said what {kind} does")
