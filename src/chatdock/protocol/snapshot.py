"""What a run's events add up to: the items as they stand, and those that are not finished.

The log is the truth, so nothing is tracked beside it while a run streams. When a run is cancelled, its server dies or a
client joins late, its events are folded into this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from chatdock.protocol.frames import payloads

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]


class Snapshot:
    """The state that a client has after it applied a run's events."""

    def __init__(self) -> None:
        self.items: dict[str, Json] = {}
        self.drafts: set[str] = set()
        self._removed: dict[str, None] = {}
        self._thread: Json | None = None
        self._stream_options: Json | None = None
        self._progress: Json | None = None

    def apply(self, frames: bytes) -> Snapshot:
        """Fold a batch of frames in; returns itself."""
        for event in payloads(frames):
            self._fold(event)
        return self

    def open_items(self) -> list[Json]:
        """Items that were added and neither finished nor removed, in their order."""
        return [item for item_id, item in self.items.items() if item_id in self.drafts]

    def events(self) -> Iterator[bytes]:
        """The fewest events, as JSON, that bring a client to this state. Effects and notices are not repeated."""
        if self._thread:
            yield orjson.dumps({"type": "thread.updated", "thread": self._thread})
        if self._stream_options:
            yield orjson.dumps(self._stream_options)
        for item_id in self._removed:
            yield orjson.dumps({"type": "thread.item.removed", "item_id": item_id})
        for item_id, item in self.items.items():
            kind = "thread.item.added" if item_id in self.drafts else "thread.item.done"
            yield orjson.dumps({"type": kind, "item": item})
        if self._progress:
            yield orjson.dumps(self._progress)

    def _fold(self, event: Json) -> None:
        match event["type"]:
            case "thread.created" | "thread.updated":
                self._thread = event["thread"]
            case "stream_options":
                self._stream_options = event
            case "progress_update":
                self._progress = event
            case "thread.item.added":
                self.items[event["item"]["id"]] = event["item"]
                self.drafts.add(event["item"]["id"])
                self._progress = None
            case "thread.item.done" | "thread.item.replaced":
                self.items[event["item"]["id"]] = event["item"]
                self.drafts.discard(event["item"]["id"])
            case "thread.item.removed":
                self.items.pop(event["item_id"], None)
                self.drafts.discard(event["item_id"])
                self._removed[event["item_id"]] = None
            case "thread.item.updated":
                if item := self.items.get(event["item_id"]):
                    _update(item, event["update"])


def _update(item: Json, update: Json) -> None:
    kind: str = update["type"]
    if kind.startswith("assistant_message.content_part."):
        _update_text(item["content"], kind.rpartition(".")[2], update)
    elif kind == "widget.root.updated":
        item["widget"] = update["widget"]
    elif kind == "widget.component.updated":
        item["widget"] = _with_component(item["widget"], update["component_id"], update["component"])
    elif kind == "widget.streaming_text.value_delta":
        if component := _find_component(item["widget"], update["component_id"]):
            component["value"] = component.get("value", "") + update["delta"]
    elif kind == "workflow.task.added":
        item["workflow"]["tasks"].insert(update["task_index"], update["task"])
    elif kind == "workflow.task.updated":
        tasks: list[Json] = item["workflow"]["tasks"]
        if update["task_index"] < len(tasks):
            tasks[update["task_index"]] = update["task"]
    elif kind == "generated_image.updated":
        item["image"] = update["image"]


def _update_text(content: list[Json], change: str, update: Json) -> None:
    index: int = update["content_index"]
    while len(content) <= index:
        content.append({"annotations": [], "text": "", "type": "output_text"})
    match change:
        case "added" | "done":
            content[index] = update["content"]
        case "text_delta":
            content[index]["text"] += update["delta"]
        case "annotation_added":
            content[index].setdefault("annotations", []).insert(update["annotation_index"], update["annotation"])


def _find_component(node: Any, component_id: str) -> Json | None:
    if isinstance(node, list):
        return next((hit for child in node if (hit := _find_component(child, component_id))), None)
    if not isinstance(node, dict):
        return None
    if node.get("id") == component_id:
        return node
    return _find_component(node.get("children"), component_id)


def _with_component(node: Any, component_id: str, component: Json) -> Any:
    if isinstance(node, list):
        return [_with_component(child, component_id, component) for child in node]
    if not isinstance(node, dict):
        return node
    if node.get("id") == component_id:
        return component
    if "children" in node:
        return {**node, "children": _with_component(node["children"], component_id, component)}
    return node
