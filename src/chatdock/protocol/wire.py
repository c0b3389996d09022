"""From items in REST back to items on the wire: what `rest.item_from_wire` does, backwards."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import ValidationError

from chatdock.errors import clip
from chatdock.protocol.frames import ITEM, loads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

UNFETCHED = "attachments: name, MIME type and id are kept, the file is not"


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
    without its bytes, each task is a custom one or a thought, and the times are whole seconds. What this version of
    Chatdock does not know in an item is left out, and counted.
    """
    kind = rest.get("type")
    form = FORMS.get(kind) if isinstance(kind, str) else None
    if form is None:
        raise NoWireForm(f"items of type {clip(str(kind))!r}")
    convert, members = form
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
    left_out.update(unknown(rest, members, f"items of type {kind!r}"))
    return WireItem(item.id, item.type, data, left_out)


def unknown(rest: dict[str, Any], known: frozenset[str], what: str) -> list[str]:
    """Kinds of members beyond the known ones, as far as they say something."""
    return [f"members {clip(name)!r} of {what}" for name in rest.keys() - known if rest[name]]


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
        "attachments": _attachments(rest.get("attachments") or (), left_out),
        "inference_options": {name: value for name in ("tool_choice", "model") if (value := options.get(name))},
    }
    if quotes:
        wire["quoted_text"] = "\n\n".join(quotes)
    return wire


def _attachments(rest: Iterable[Any], left_out: Counter[str]) -> list[dict[str, Any]]:
    made = []
    for attachment in rest:
        match attachment:
            case {"id": str(file_id), "name": str(name), "mime_type": str(mime_type)}:
                # Images have to have a preview, and a link to one does not outlive the server that signed it.
                made.append({"type": "file", "id": file_id, "name": name, "mime_type": mime_type})
                left_out[UNFETCHED] += 1
            case _:
                left_out["attachments that are not as the API describes them"] += 1
    return made


def _assistant_message(rest: dict[str, Any], left_out: Counter[str]) -> dict[str, Any]:
    content = []
    for part in rest["content"]:
        if part["type"] == "output_text":
            annotations = _annotations(part.get("annotations") or (), left_out)
            content.append({"type": "output_text", "text": part["text"], "annotations": annotations})
        else:
            left_out[f"parts of type {clip(str(part['type']))!r} in assistants' messages"] += 1
    return {"type": "assistant_message", "content": content}


def _annotations(rest: Iterable[Any], left_out: Counter[str]) -> list[dict[str, Any]]:
    made = []
    for annotation in rest:
        match annotation:
            case {"type": "file", "source": {"filename": str(name)}}:
                source = {"type": "file", "filename": name, "title": name}
            case {"type": "url", "source": {"url": str(url)}}:
                source = {"type": "url", "url": url, "title": url}
            case {"type": str(other)}:
                left_out[f"citations of type {clip(other)!r}"] += 1
                continue
            case _:
                left_out["citations that are not as the API describes them"] += 1
                continue
        made.append({"type": "annotation", "source": source})
    return made


def _widget(rest: dict[str, Any], _left_out: Counter[str]) -> dict[str, Any]:
    return {"type": "widget", "widget": loads(rest["widget"])}


def _client_tool_call(rest: dict[str, Any], left_out: Counter[str]) -> dict[str, Any]:
    pending = rest["status"] == "in_progress"
    if not pending and rest["status"] != "completed":
        # Pending, it would be executed again.
        left_out[f"status {clip(str(rest['status']))!r} of client tool calls, which became 'completed'"] += 1
    wire = {
        "type": "client_tool_call",
        "status": "pending" if pending else "completed",
        "call_id": rest["call_id"],
        "name": rest["name"],
        "arguments": loads(rest["arguments"] or "{}"),
    }
    if not pending and rest.get("output") is not None:
        try:
            wire["output"] = loads(rest["output"])
        except ValueError:
            wire["output"] = rest["output"]
    return wire


def _task_item(rest: dict[str, Any], left_out: Counter[str]) -> dict[str, Any]:
    return {"type": "task", "task": _task(rest["task_type"], rest, left_out)}


def _task_group(rest: dict[str, Any], left_out: Counter[str]) -> dict[str, Any]:
    tasks = [_task(task["type"], task, left_out) for task in rest["tasks"]]
    thoughts = bool(tasks) and all(task["type"] == "thought" for task in tasks)
    return {"type": "workflow", "workflow": {"type": "reasoning" if thoughts else "custom", "tasks": tasks}}


def _task(kind: str, rest: dict[str, Any], left_out: Counter[str]) -> dict[str, Any]:
    if kind == "thought":
        members = {"type": kind, "title": rest.get("heading"), "content": rest.get("summary") or ""}
    else:
        if kind != "custom":
            left_out[f"type {clip(str(kind))!r} of tasks, which became 'custom'"] += 1
        members = {"type": "custom", "title": rest.get("heading"), "content": rest.get("summary")}
    return {name: value for name, value in members.items() if value is not None}


def _members(*own: str) -> frozenset[str]:
    return frozenset({"id", "object", "created_at", "thread_id", "type", *own})


FORMS: dict[str, tuple[Callable[[dict[str, Any], Counter[str]], dict[str, Any]], frozenset[str]]] = {
    "chatkit.user_message": (_user_message, _members("content", "attachments", "inference_options")),
    "chatkit.assistant_message": (_assistant_message, _members("content")),
    "chatkit.widget": (_widget, _members("widget")),
    "chatkit.client_tool_call": (_client_tool_call, _members("status", "call_id", "name", "arguments", "output")),
    "chatkit.task": (_task_item, _members("task_type", "heading", "summary")),
    "chatkit.task_group": (_task_group, _members("tasks")),
}
"""How an item of each type is carried over, and which members it has."""
