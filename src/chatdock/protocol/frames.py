"""Frames: events as the bytes of a server-sent event stream.

A frame is `id: <run id>:<sequence>`, `data: {json}` and a blank line; JSON holds no raw line break, so a blank line
always ends a frame. The last frame of a run is a comment with its outcome (`: completed`), which stock clients skip and
which tells ours that the stream ended rather than broke.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson
from chatkit import types
from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError

from chatdock.protocol.kinds import HIDDEN_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

KEEP_ALIVE = b": keep-alive\n\n"

ITEM: TypeAdapter[types.ThreadItem] = TypeAdapter(types.ThreadItem)
"""Reads a stored item."""

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


def item_event(kind: str, item: bytes) -> bytes:
    """An event that carries one item (`thread.item.added|done|replaced`), from the item's JSON."""
    return b'{"type":"%b","item":%b}' % (kind.encode(), item)


def removed(item_id: str) -> bytes:
    """A `thread.item.removed` event as JSON."""
    return b'{"type":"thread.item.removed","item_id":%b}' % orjson.dumps(item_id)


def thread_json(
    thread: types.ThreadMetadata, items: bytes = b'{"data":[],"has_more":false}', extra: bytes = b""
) -> bytes:
    """A thread as clients see it, without its metadata, around a page of items that is JSON already."""
    shown = thread.model_dump_json(exclude_none=True, exclude={"metadata": True, "items": True})
    return b'%b,"items":%b%b}' % (shown[:-1].encode(), items, extra)


def thread_event(kind: str, thread: types.ThreadMetadata) -> bytes:
    """A `thread.created` or `thread.updated` event as JSON."""
    return b'{"type":"%b","thread":%b}' % (kind.encode(), thread_json(thread))


def error_event(message: str | None = None, *, code: str | None = None, allow_retry: bool) -> bytes:
    """An `error` event as JSON; with a message its code is `custom`."""
    event: dict[str, Any] = {"type": "error", "code": code or ("custom" if message else "stream.error")}
    if message:
        event["message"] = message
    return orjson.dumps({**event, "allow_retry": allow_retry})


def frame(run_id: str, sequence: int, payload: bytes) -> bytes:
    """One frame with its SSE id."""
    return b"id: %b:%d\ndata: %b\n\n" % (run_id.encode(), sequence, payload)


def terminal(outcome: str) -> bytes:
    """The comment that is a run's last frame."""
    return b": %b\n\n" % outcome.encode()


def is_terminal(frame: bytes) -> bool:
    """Whether this is a run's last frame."""
    return frame.startswith(b": ")


def split(data: bytes) -> list[bytes]:
    """The single frames of a batch."""
    return [part + b"\n\n" for part in data.split(b"\n\n")[:-1]]


def payloads(data: bytes) -> Iterator[dict[str, Any]]:
    """The events of a batch, parsed."""
    for part in data.split(b"\n\n"):
        for line in part.split(b"\n"):
            if line.startswith(b"data: "):
                yield orjson.loads(line[6:])
