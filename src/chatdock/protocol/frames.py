"""Frames: events as the bytes of a server-sent event stream.

A frame is `data: {json}` and a blank line; JSON holds no raw line break, so a blank line always ends a frame. Behind
the frames of a batch stands `id: <run id>:<sequence>` and names the last of them: in a block of its own, since readers
exist that take only blocks which begin with `data: `, and behind them, since a cut in between must lose nothing. The
last frame of a run is a comment with its outcome (`: completed`), which stock clients skip and which tells ours that
the stream ended rather than broke.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson
from chatkit import types
from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError

from chatdock.protocol.kinds import HIDDEN_TYPES
from chatdock.protocol.widgets import widget_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import BaseModel

KEEP_ALIVE = b": keep-alive\n\n"

ITEM: TypeAdapter[types.ThreadItem] = TypeAdapter(types.ThreadItem)
"""Tells whether JSON is an item; `read_item` reads one."""

_OLDER_FRAME = re.compile(rb"id: ([^\n]+)\n(data: [^\n]*\n\n)")

_DUMP_CONTEXT = {"exclude_metadata": True}


def dump(model: BaseModel, *, nulls: bool = False) -> bytes:
    """A chatkit model as the wire's JSON: no nulls, no attachment metadata. `ValueError` if it is not what it says."""
    try:
        dumped = model.model_dump_json(by_alias=True, exclude_none=not nulls, context=_DUMP_CONTEXT, warnings="error")
    except PydanticSerializationError as error:
        if "surrogates" not in str(error):
            raise
        tree = model.model_dump(by_alias=True, exclude_none=not nulls, context=_DUMP_CONTEXT, warnings="error")
        return orjson.dumps(clean_tree(tree))
    return dumped.encode()


def dump_item(item: types.ThreadItem) -> bytes:
    """An item as the wire's JSON, looked at once more: what is stored must be readable for good."""
    # The content of hidden context may be None, and has to be there then; no client reads it.
    data = dump(item, nulls=item.type in HIDDEN_TYPES)
    ITEM.validate_json(data)
    return data


def read_item(data: str | bytes) -> types.ThreadItem:
    """An item from its JSON, with every member that its widget has."""
    item = ITEM.validate_json(data)
    if isinstance(item, types.WidgetItem):
        item.widget = widget_of(orjson.loads(data)["widget"])
    return item


def clean(text: str) -> str:
    """`text` with halves of surrogate pairs, which some models emit, joined where they belong together, else U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def clean_tree(value: Any) -> Any:
    """The same for every text in a JSON value."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean_tree(key): clean_tree(entry) for key, entry in value.items()}
    return [clean_tree(entry) for entry in value] if isinstance(value, list) else value


def loads(text: str | bytes) -> Any:
    """A JSON value from elsewhere, in which orjson refuses halves of surrogate pairs. `ValueError` if it is none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            return clean_tree(json.loads(text))
        except RecursionError:
            raise ValueError("JSON that is nested too deeply") from None


def json_string(text: str) -> bytes:
    """`text` as a JSON string."""
    try:
        return orjson.dumps(text)
    except TypeError:
        return orjson.dumps(clean(text))


def text_delta(item_id: str, content_index: int, delta: str) -> bytes:
    """A `text_delta` update as JSON, without building a model: this is the hot path."""
    return (
        b'{"type":"thread.item.updated","item_id":%b,"update":{"type":"assistant_message.content_part.text_delta",'
        b'"content_index":%d,"delta":%b}}' % (orjson.dumps(item_id), content_index, json_string(delta))
    )


def part_event(item_id: str, change: str, content: types.AssistantMessageContent) -> bytes:
    """An update (`added` or `done`) of a message's only content part as JSON."""
    return (
        b'{"type":"thread.item.updated","item_id":%b,"update":{"type":"assistant_message.content_part.%b",'
        b'"content_index":0,"content":%b}}' % (orjson.dumps(item_id), change.encode(), dump(content))
    )


def update_event(item_id: str, update: bytes) -> bytes:
    """A `thread.item.updated` event as JSON, from the update's JSON."""
    return b'{"type":"thread.item.updated","item_id":%b,"update":%b}' % (orjson.dumps(item_id), update)


def item_event(kind: str, item: bytes) -> bytes:
    """An event that carries one item (`thread.item.added|done|replaced`), from the item's JSON."""
    return b'{"type":"%b","item":%b}' % (kind.encode(), item)


def removed(item_id: str) -> bytes:
    """A `thread.item.removed` event as JSON."""
    return b'{"type":"thread.item.removed","item_id":%b}' % orjson.dumps(item_id)


def thread_json(
    thread: types.ThreadMetadata, items: bytes = b'{"data":[],"has_more":false}', extra: bytes = b""
) -> bytes:
    """A thread as clients see it, with its metadata empty, around a page of items that is JSON already."""
    shown = thread.model_dump_json(exclude_none=True, exclude={"metadata": True, "items": True})
    return b'%b,"metadata":{},"items":%b%b}' % (shown[:-1].encode(), items, extra)


def thread_event(kind: str, thread: types.ThreadMetadata) -> bytes:
    """A `thread.created` or `thread.updated` event as JSON."""
    return b'{"type":"%b","thread":%b}' % (kind.encode(), thread_json(thread))


def error_event(message: str | None = None, *, code: str | None = None, allow_retry: bool) -> bytes:
    """An `error` event as JSON; with a message its code is `custom`."""
    event: dict[str, Any] = {"type": "error", "code": code or ("custom" if message else "stream.error")}
    if message:
        event["message"] = message
    return orjson.dumps({**event, "allow_retry": allow_retry})


def batch(run_id: str, last: int, events: Sequence[bytes]) -> bytes:
    """Events, as JSON, as the frames up to number `last` of a run, and their id."""
    if not events:
        return b""
    return b"data: %b\n\nid: %b:%d\n\n" % (b"\n\ndata: ".join(events), run_id.encode(), last)


def terminal(outcome: str) -> bytes:
    """The comment that is a run's last frame."""
    return b": %b\n\n" % outcome.encode()


def outcome(data: bytes) -> str | None:
    """The outcome with which a batch ends, if it is a run's last."""
    last = data.rsplit(b"\n\n", 2)[-2:][0]
    return last[2:].decode() if last.startswith(b": ") else None


def without(data: bytes, count: int) -> bytes:
    """A batch without its first `count` frames, and without their id when it names none that is left."""
    rest = data.split(b"\n\n", count)[-1]
    return rest.partition(b"\n\n")[2] if rest.startswith(b"id: ") else rest


def upgraded(data: bytes) -> bytes:
    """A stored batch as it is written today. Databases hold batches in which each frame begins with its id."""
    if not data.startswith(b"id: "):
        return data
    found = list(_OLDER_FRAME.finditer(data))
    if not found:
        return data
    events, end = b"".join(one[2] for one in found), found[-1].end()
    return b"%bid: %b\n\n%b" % (events, found[-1][1], data[end:])


def payloads(data: bytes) -> Iterator[dict[str, Any]]:
    """The events of a batch, parsed; what is no JSON is passed over."""
    for block in data.split(b"\n\n"):
        if block.startswith(b"data: "):
            with suppress(orjson.JSONDecodeError):
                yield orjson.loads(block[6:])
