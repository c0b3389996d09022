"""One item of every type, with everything in it that the type can hold."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import datetime
from typing import Any

from chatkit import types
from chatkit.widgets import Card
from pydantic import TypeAdapter

AWKWARD = "Grüße 你好 👩‍👩‍👧 مرحبا \u202e e\u0301 \x00 \\ \" ' % _ ; \r\n\t </script> " + "\U0010ffff"
"""Text that careless storing changes: several scripts, joined and combining characters, NUL, quotes, line ends."""

Make = Callable[[str, str, datetime], types.ThreadItem]
"""An item from the ids of its thread and itself, and its time."""


def message(thread_id: str, item_id: str, created_at: datetime, text: str = "hello") -> types.UserMessageItem:
    """A plain message of the user."""
    return types.UserMessageItem(
        id=item_id,
        thread_id=thread_id,
        created_at=created_at,
        content=[types.UserMessageTextContent(text=text)],
        inference_options=types.InferenceOptions(),
    )


def attachments(thread_id: str | None, prefix: str) -> list[types.Attachment]:
    """A file and an image, with metadata that belongs to the application alone."""
    image = {"type": "image", "preview_url": "https://files.example/p?x=1&y=%C3%A4"}
    shared = {"mime_type": "image/png", "thread_id": thread_id, "metadata": {"file_id": "file_1", "pages": [1, None]}}
    return [
        _ATTACHMENT.validate_python({**shared, "type": "file", "id": f"{prefix}_file", "name": AWKWARD}),
        _ATTACHMENT.validate_python({**shared, **image, "id": f"{prefix}_image", "name": "picture.png"}),
    ]


def hidden(thread_id: str, item_id: str, created_at: datetime, content: Any = None) -> types.HiddenContextItem:
    """Context that the model sees and the user does not."""
    return types.HiddenContextItem(id=item_id, thread_id=thread_id, created_at=created_at, content=content)


def _item(kind: str, **members: Any) -> Make:
    def make(thread_id: str, item_id: str, created_at: datetime) -> types.ThreadItem:
        return _ITEM.validate_python(
            {"type": kind, "id": item_id, "thread_id": thread_id, "created_at": created_at, **members}
        )

    return make


_ITEM: TypeAdapter[types.ThreadItem] = TypeAdapter(types.ThreadItem)
_ATTACHMENT: TypeAdapter[types.Attachment] = TypeAdapter(types.Attachment)
_URL_SOURCE = {"type": "url", "title": AWKWARD, "url": "https://example.com/?q=1", "attribution": "Example"}
_FILE_SOURCE = {"type": "file", "title": "Report", "filename": "report.pdf", "description": "d", "timestamp": "2026"}
_ENTITY_SOURCE = {"type": "entity", "title": "Ada", "id": "e1", "icon": "user", "label": "Ada", "data": {"a": None}}
_TASKS: list[dict[str, Any]] = [
    {"type": "custom", "title": "Custom", "icon": "sparkle", "content": AWKWARD, "status_indicator": "loading"},
    {"type": "web_search", "title": "Search", "title_query": "q", "queries": ["q", ""], "sources": [_URL_SOURCE]},
    {"type": "thought", "title": "Thought", "content": "thinking"},
    {"type": "file", "title": "Files", "sources": [_FILE_SOURCE]},
    {"type": "image", "title": "Image", "status_indicator": "complete"},
]
_QUESTIONS: list[dict[str, Any]] = [
    {
        "type": "multiple_choice",
        "id": "q1",
        "question": AWKWARD,
        "options": [{"value": "a"}, {"value": "b"}],
        "multiple": True,
        "answer": {"values": ["a", "b"]},
    },
    {"type": "freeform", "id": "q2", "question": "Why?", "description": "d", "answer": {"values": [], "skipped": True}},
    {"type": "freeform", "id": "q3", "question": "And?"},
]


def _widget() -> Card:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of chatkit, about its own widget classes
        return Card.model_validate(
            {
                "type": "Card",
                "key": "card",
                "children": [
                    {"type": "Text", "value": AWKWARD, "id": "text", "streaming": False},
                    {"type": "Button", "label": "Go", "onClickAction": {"type": "go", "payload": {"a": [1, "b"]}}},
                ],
            }
        )


ITEMS: dict[str, list[Make]] = {
    "user_message": [
        message,
        _item(
            "user_message",
            content=[
                {"type": "input_text", "text": AWKWARD},
                {"type": "input_tag", "id": "t", "text": "tag", "data": {"a": {"b": None}}, "group": "g"},
            ],
            quoted_text="quoted",
            inference_options={"tool_choice": {"id": "search"}, "model": "m"},
        ),
    ],
    "assistant_message": [
        _item("assistant_message", content=[]),
        _item(
            "assistant_message",
            content=[
                {
                    "text": AWKWARD,
                    "annotations": [
                        {"source": _URL_SOURCE, "index": 0},
                        {"source": _FILE_SOURCE, "index": None},
                        {"source": _ENTITY_SOURCE, "index": 3},
                    ],
                },
                {"text": "", "annotations": []},
            ],
        ),
    ],
    "client_tool_call": [
        _item("client_tool_call", call_id="c", name="pick", arguments={"a": None, "ä": [{}, [], 1.5, True]}),
        _item("client_tool_call", call_id="c", name="pick", arguments={}, status="completed", output={"ok": None}),
    ],
    "widget": [_item("widget", widget=_widget(), copy_text="copied")],
    "generated_image": [
        _item("generated_image"),
        _item("generated_image", image={"id": "img", "url": "data:image/png;base64,AA=="}),
    ],
    "structured_input": [_item("structured_input", status="answered", inputs=_QUESTIONS)],
    "task": [_item("task", task=task) for task in _TASKS],
    "workflow": [
        _item("workflow", workflow={"type": "reasoning", "tasks": [], "summary": {"duration": 3}}),
        _item(
            "workflow",
            workflow={
                "type": "custom",
                "tasks": _TASKS,
                "summary": {"title": "Done", "icon": "check"},
                "expanded": True,
            },
        ),
    ],
    "hidden_context_item": [
        hidden,
        _item("hidden_context_item", content=AWKWARD),
        _item("hidden_context_item", content={"a": [1, None, {"b": "c"}]}),
    ],
    "sdk_hidden_context": [_item("sdk_hidden_context", content=AWKWARD)],
    "end_of_turn": [_item("end_of_turn")],
}
"""Samples by the type of item."""
