"""What a run's events add up to: the items as they stand, and those that are not finished.

Whoever writes a run folds its events as they come, and refuses one that does not fit. Whoever finds a run in the log
folds what is stored, and passes over what does not fit: an older version, or another program, may have written it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import orjson

from chatdock.protocol.frames import ITEM, payloads
from chatdock.protocol.kinds import EVENTS, ITEMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]

MAX_INDEX = 1000
"""No message has so many parts or citations, no workflow so many tasks; the element ignores what lies beyond."""


class Unfit(ValueError):
    """An event that does not fit what came before it; the message names what was wrong."""


class Snapshot:
    """The state that a client has after it applied a run's events, in the order of their size in memory and time."""

    def __init__(self) -> None:
        self.drafts: dict[str, Draft] = {}
        """Items that were added and neither finished nor removed."""
        self._items: dict[str, Json] = {}
        self._removed: dict[str, None] = {}
        self._thread: Json | None = None
        self._stream_options: Json | None = None
        self._progress: Json | None = None

    @property
    def items(self) -> dict[str, Json]:
        """The items as they stand, in their order."""
        for draft in self.drafts.values():
            draft.settle()
        return self._items

    def apply(self, frames: bytes) -> Snapshot:
        """Fold a batch of stored frames in, whatever it holds; returns itself."""
        for event in payloads(frames):
            try:
                self.fold(event)
            except Unfit:
                continue
        return self

    def fold(self, event: Any) -> None:
        """Fold one event in; `Unfit`, and nothing is changed, when it does not fit."""
        kind = _member(event, "type", str)
        match kind:
            case "thread.created" | "thread.updated":
                self._thread = _member(event, "thread", dict)
            case "stream_options":
                self._stream_options = event
            case "progress_update":
                self._progress = event
            case "thread.item.added" | "thread.item.done" | "thread.item.replaced":
                item = _member(event, "item", dict)
                item_id = _member(item, "id", str)
                self._items[item_id] = item
                self.drafts.pop(item_id, None)
                if kind == "thread.item.added":
                    self.drafts[item_id] = Draft(item)
                    self._progress = None
            case "thread.item.removed":
                item_id = _member(event, "item_id", str)
                self._items.pop(item_id, None)
                self.drafts.pop(item_id, None)
                self._removed[item_id] = None
            case "thread.item.updated":
                self._draft(_member(event, "item_id", str)).update(_member(event, "update", dict))
            case _ if kind in EVENTS:
                assert not EVENTS[kind].lasting
            case _:
                raise Unfit(f"there is no event of the type {kind[:64]!r}")

    def grow(self, item_id: str, content_index: int, delta: str) -> None:
        """Fold a `text_delta` in that is no JSON yet: this is the hot path."""
        self._draft(item_id).grow_part(content_index, delta)

    def open_items(self) -> list[Json]:
        """Items that were added and neither finished nor removed, in their order."""
        return [item for item_id, item in self.items.items() if item_id in self.drafts]

    def events(self) -> Iterator[bytes]:
        """The fewest events, as JSON, that bring a client to this state. Effects and notices are not repeated."""
        if self._thread:
            yield from _dumped({"type": "thread.updated", "thread": self._thread})
        if self._stream_options:
            yield from _dumped(self._stream_options)
        for item_id in self._removed:
            yield from _dumped({"type": "thread.item.removed", "item_id": item_id})
        for item_id, item in self.items.items():
            kind = "thread.item.added" if item_id in self.drafts else "thread.item.done"
            yield from _dumped({"type": kind, "item": item})
        if self._progress:
            yield from _dumped(self._progress)

    def _draft(self, item_id: str) -> Draft:
        draft = self.drafts.get(item_id)
        if draft is None:
            raise Unfit(
                f"an update of item {item_id[:64]!r}, which is not being streamed: add it first, or replace it whole"
            )
        return draft


class Draft:
    """An item that is being streamed. What grows is kept in pieces until somebody looks; components are found by id."""

    def __init__(self, item: Json) -> None:
        self.item = item
        self._pieces: dict[int, tuple[Json, str, list[str]]] = {}
        self._components: dict[str, dict[int, Json]] | None = None

    def update(self, update: Json) -> None:
        """Change the item; `Unfit`, and nothing is changed, when this is no update of it."""
        kind = _member(update, "type", str)
        own = ITEMS.get(_member(self.item, "type", str))
        if own is None or kind not in own.updates:
            raise Unfit(f"an update of the type {kind[:64]!r} does not fit a {self.item['type'][:64]}")
        UPDATES[kind](self, update)

    def settle(self) -> Json:
        """The item with all that grew in it."""
        for node, member, pieces in self._pieces.values():
            node[member] += "".join(pieces)
        self._pieces.clear()
        return self.item

    def grow_part(self, content_index: Any, delta: str) -> None:
        """Add text to a content part, which may begin with it."""
        content = _member(self.item, "content", list)
        index = _index(content_index, "content_index", len(content))
        if index == len(content):
            content.append({"annotations": [], "text": "", "type": "output_text"})
        self._grow(content[index], "text", delta)

    def put_part(self, update: Json) -> None:
        """Begin or finish a content part."""
        content, part = _member(self.item, "content", list), _member(update, "content", dict)
        _put(content, _index(update.get("content_index"), "content_index", len(content)), part)

    def annotate(self, update: Json) -> None:
        """Insert a citation into a content part."""
        content, annotation = _member(self.item, "content", list), _member(update, "annotation", dict)
        index = _index(update.get("content_index"), "content_index", len(content) - 1)
        place = _index(update.get("annotation_index"), "annotation_index", MAX_INDEX)
        if not isinstance(content[index], dict):
            raise Unfit("the content part is no object")
        annotations = content[index].setdefault("annotations", [])
        if not isinstance(annotations, list):
            raise Unfit("the part's annotations are no list")
        annotations.insert(place, annotation)

    def add_task(self, update: Json) -> None:
        """Insert a task."""
        tasks, task = _member(_member(self.item, "workflow", dict), "tasks", list), _member(update, "task", dict)
        tasks.insert(_index(update.get("task_index"), "task_index", len(tasks)), task)

    def put_task(self, update: Json) -> None:
        """Replace a task."""
        tasks, task = _member(_member(self.item, "workflow", dict), "tasks", list), _member(update, "task", dict)
        tasks[_index(update.get("task_index"), "task_index", len(tasks) - 1)] = task

    def put_image(self, update: Json) -> None:
        """Replace a generated image."""
        self.item["image"] = _member(update, "image", dict)

    def put_widget(self, update: Json) -> None:
        """Replace a widget."""
        self.item["widget"] = _member(update, "widget", dict)
        self._components = None

    def put_component(self, update: Json) -> None:
        """Replace a component of a widget, and all in it."""
        node, component = self._component(update), _member(update, "component", dict)
        assert self._components is not None
        self._note(node.get("children"), found=False)
        if component.get("id") != update["component_id"]:
            self._components[update["component_id"]].pop(id(node))
        self._pieces.pop(id(node), None)
        node.clear()
        node.update(component)
        self._note(node, found=True)

    def grow_component(self, update: Json) -> None:
        """Add text to a component of a widget."""
        node, delta = self._component(update), _member(update, "delta", str)
        if node.get("type") not in ("Text", "Markdown"):
            raise Unfit(f"component {update['component_id'][:64]!r} is neither Text nor Markdown")
        node.setdefault("value", "")
        self._grow(node, "value", delta)

    def _grow(self, node: Any, member: str, delta: str) -> None:
        entry = self._pieces.get(id(node))
        if entry is None:
            _member(node, member, str)
            entry = self._pieces[id(node)] = (node, member, [])
        entry[2].append(delta)

    def _component(self, update: Json) -> Json:
        component_id = _member(update, "component_id", str)
        if self._components is None:
            self._components = {}
            self._note(_member(self.item, "widget", dict), found=True)
        nodes = self._components.get(component_id)
        if not nodes:
            raise Unfit(f"the widget has no component with the id {component_id[:64]!r}")
        return next(iter(nodes.values()))

    def _note(self, root: Any, *, found: bool) -> None:
        """Remember, or forget, the components of a tree by their ids, in the order in which they stand."""
        assert self._components is not None
        waiting: deque[Any] = deque([root])
        while waiting:
            node = waiting.popleft()
            if isinstance(node, list):
                waiting.extendleft(reversed(node))
                continue
            if not isinstance(node, dict):
                continue
            if isinstance(name := node.get("id"), str):
                same = self._components.setdefault(name, {})
                if found:
                    same[id(node)] = node
                else:
                    same.pop(id(node), None)
            waiting.appendleft(node.get("children"))


UPDATES: dict[str, Callable[[Draft, Json], None]] = {
    "assistant_message.content_part.added": Draft.put_part,
    "assistant_message.content_part.text_delta": lambda draft, update: draft.grow_part(
        update.get("content_index"), _member(update, "delta", str)
    ),
    "assistant_message.content_part.annotation_added": Draft.annotate,
    "assistant_message.content_part.done": Draft.put_part,
    "widget.root.updated": Draft.put_widget,
    "widget.component.updated": Draft.put_component,
    "widget.streaming_text.value_delta": Draft.grow_component,
    "workflow.task.added": Draft.add_task,
    "workflow.task.updated": Draft.put_task,
    "generated_image.updated": Draft.put_image,
}
"""What an update of each type makes of a draft."""


def finished(draft: Json) -> bytes | None:
    """What is kept of an item, as JSON, when its run breaks off: the text that was said; None for everything else."""
    kind = ITEMS.get(str(draft.get("type")))
    if kind is None or not kind.says:
        return None
    try:
        data = orjson.dumps(draft)
        said = "".join(part.text for part in getattr(ITEM.validate_json(data), "content", ()))
    except (ValueError, TypeError):  # nobody could read it again
        return None
    return data if said.strip() else None


def _member(holder: Any, name: str, kind: type[Any]) -> Any:
    value = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(value, kind):
        raise Unfit(f"{name} must be {_NAMES[kind]}, not {type(value).__name__}")
    return value


_NAMES: dict[type[Any], str] = {str: "text", list: "a list", dict: "an object"}


def _index(value: Any, name: str, highest: int) -> int:
    highest = min(highest, MAX_INDEX)
    if type(value) is not int or not 0 <= value <= highest:
        shown = value if type(value) is int and abs(value) < 1 << 63 else type(value).__name__
        raise Unfit(f"{name} is {shown}, " + (f"not from 0 to {highest}" if highest >= 0 else "and there is none yet"))
    return value


def _put(elements: list[Any], index: int, element: Any) -> None:
    if index == len(elements):
        elements.append(element)
    else:
        elements[index] = element


def _dumped(event: Json) -> Iterator[bytes]:
    try:
        yield orjson.dumps(event)
    except TypeError:  # nested more deeply than can be written: a client does without
        return
