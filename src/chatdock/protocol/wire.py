"""From items in REST back to items on the wire: what `rest.item_from_wire` does, backwards."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import ValidationError

from chatdock.errors import clip
from chatdock.protocol.frames import ITEM

if TYPE_CHECKING:
    from collections.abc import Callable

UNFETCHED = "attachments: name, MIME type and id are kept, the file and its preview are not"


class NoWireForm(Exception):
    """The item cannot be carried over; the message is its kind, in the plural."""


@dataclass(frozen=True, slots=True)
class WireItem:
    """An item as it is stored."""

    id: str
    type: str
    data: bytes
    """The wire item, JSON."""
    left_out: Counter[str] = field(default_factory=Counter)
    """What of it could not be carried over, by kind."""


def item_from_rest(rest: dict[str, Any]) -> WireItem:
    """The wire item of a REST item; `NoWireForm` when there is none.

    REST does not say everything. A cited file or page is titled with its name or address, an attachment is a file
    without its bytes, each task is a custom one or a thought, and the times are whole seconds.
    """
    kind = rest.get("type")
    convert = _FORMS.get(kind) if isinstance(kind, str) else None
    if convert is None:
        raise NoWireForm(f"items of type {clip(str(kind))!r}")
    left_out: Counter[str] = Counter()
    try:
        wire = {
            "id": rest["id"],
            "thread_id": rest["thread_id"],
            "created_at": datetime.fromtimestamp(rest["created_at"], UTC).isoformat().replace("+00:00", "Z"),
            **convert(rest, left_out),
        }
        data = orjson.dumps(wire)
        item = ITEM.validate_json(data)  # what is stored must be readable for good
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, ValidationError) as error:
        raise NoWireForm(f"items of type {kind!r} that are not as the API describes them") from error
    return WireItem(item.id, item.type, data, left_out)


def _user_message(rest: dict[str, Any], left_out: Counter[str]) -> dict[str, Any]:
    content, quotes = [], []
    for part in rest["content"]:
        match part["type"]:
            case "input_text":
                content.append({"type": "input_text", "text": part["text"]})
            case "quoted_text":
                quotes.append(part["text"])
            case other:
                left_out[f"parts of type {clip(str(other))!r} in users' messages"] += 1
    options = rest.get("inference_options") or {}
    wire: dict[str, Any] = {
        "type": "user_message",
        "content": content,
        "attachments": [
            # Images have to have a preview, and a link to one does not outlive the server that signed it.
            {"type": "file", "id": file["id"], "name": file["name"], "mime_type": file["mime_type"]}
            for file in rest.get("attachments") or ()
        ],
        "inference_options": {name: value for name in ("tool_choice", "model") if (value := options.get(name))},
    }
    if wire["attachments"]:
        left_out[UNFETCHED] += len(wire["attachments"])
    if quotes:
        wire["quoted_text"] = "\n\n".join(quotes)
    return wire


def _assistant_message(rest: dict[str, Any], left_out: Counter[str]) -> dict[str, Any]:
    return {
        "type": "assistant_message",
        "content": [
            {"type": "output_text", "text": part["text"], "annotations": _annotations(part, left_out)}
            for part in rest["content"]
        ],
    }


def _annotations(part: dict[str, Any], left_out: Counter[str]) -> list[dict[str, Any]]:
    made = []
    for annotation in part.get("annotations") or ():
        source = annotation["source"]
        match annotation["type"]:
            case "file":
                named = {"type": "file", "filename": source["filename"], "title": source["filename"]}
            case "url":
                named = {"type": "url", "url": source["url"], "title": source["url"]}
            case other:
                left_out[f"citations of type {clip(str(other))!r}"] += 1
                continue
        made.append({"type": "annotation", "source": named})
    return made


def _widget(rest: dict[str, Any], _left_out: Counter[str]) -> dict[str, Any]:
    return {"type": "widget", "widget": orjson.loads(rest["widget"])}


def _client_tool_call(rest: dict[str, Any], _left_out: Counter[str]) -> dict[str, Any]:
    wire = {
        "type": "client_tool_call",
        "status": "completed" if rest["status"] == "completed" else "pending",
        "call_id": rest["call_id"],
        "name": rest["name"],
        "arguments": orjson.loads(rest["arguments"] or "{}"),
    }
    if rest["status"] == "completed" and rest.get("output") is not None:
        try:
            wire["output"] = orjson.loads(rest["output"])
        except orjson.JSONDecodeError:
            wire["output"] = rest["output"]
    return wire


def _task_item(rest: dict[str, Any], _left_out: Counter[str]) -> dict[str, Any]:
    return {"type": "task", "task": _task(rest["task_type"], rest)}


def _task_group(rest: dict[str, Any], _left_out: Counter[str]) -> dict[str, Any]:
    tasks = [_task(task["type"], task) for task in rest["tasks"]]
    thoughts = bool(tasks) and all(task["type"] == "thought" for task in tasks)
    return {"type": "workflow", "workflow": {"type": "reasoning" if thoughts else "custom", "tasks": tasks}}


def _task(kind: str, rest: dict[str, Any]) -> dict[str, Any]:
    members = {"type": kind, "title": rest.get("heading"), "content": rest.get("summary")}
    if kind == "thought":
        members["content"] = rest.get("summary") or ""
    return {name: value for name, value in members.items() if value is not None}


_FORMS: dict[str, Callable[[dict[str, Any], Counter[str]], dict[str, Any]]] = {
    "chatkit.user_message": _user_message,
    "chatkit.assistant_message": _assistant_message,
    "chatkit.widget": _widget,
    "chatkit.client_tool_call": _client_tool_call,
    "chatkit.task": _task_item,
    "chatkit.task_group": _task_group,
}
