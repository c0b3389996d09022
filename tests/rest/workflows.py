"""Workflows for the REST tests: an echo, and one that stores whichever items its message names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from chatkit import types
from chatkit.widgets import Button, Card, Text

from chatdock import Turn, workflow

PAGE = types.URLSource(title="A page", url="https://example.com/page")
FILE = types.FileSource(title="A file", filename="report.pdf")
ENTITY = types.EntitySource(title="A person", id="person_1")

ALL_TASKS: list[types.Task] = [
    types.CustomTask(title="Custom", content="done"),
    types.ThoughtTask(title="Thought", content="thinking"),
    types.SearchTask(title="Search", queries=["one", "two"]),
    types.FileTask(title="Files", sources=[FILE]),
    types.ImageTask(title="Image"),
    types.CustomTask(),
]


@workflow("wf_test")
async def echo(turn: Turn) -> AsyncIterator[str]:
    """Answers with the message; `lock <reason>` and `close` change the thread."""
    match turn.text.split():
        case ["lock", *reason]:
            turn.thread.status = types.LockedStatus(reason=" ".join(reason) or None)
        case ["close", *reason]:
            turn.thread.status = types.ClosedStatus(reason=" ".join(reason) or None)
    yield turn.text


@workflow("wf_items")
async def scripted(turn: Turn) -> AsyncIterator[types.ThreadStreamEvent]:
    """Stores an item for each word of the message, by `KINDS`."""
    for kind in turn.text.split():
        make, members = KINDS[kind]
        common = {"id": turn.new_id(), "thread_id": turn.thread.id, "created_at": turn.now()}
        yield types.ThreadItemDoneEvent(item=make(**common, **members))


def _task(task: types.Task) -> tuple[Callable[..., types.ThreadItem], dict[str, Any]]:
    return types.TaskItem, {"task": task}


KINDS: dict[str, tuple[Callable[..., types.ThreadItem], dict[str, Any]]] = {
    "message": (
        types.AssistantMessageItem,
        {
            "content": [
                types.AssistantMessageContent(
                    text="cited", annotations=[types.Annotation(source=s, index=2) for s in (PAGE, FILE, ENTITY)]
                ),
                types.AssistantMessageContent(text="plain"),
            ]
        },
    ),
    "with_files": (
        types.UserMessageItem,
        {
            "content": [],
            "inference_options": types.InferenceOptions(),
            "attachments": [
                types.ImageAttachment.model_validate(
                    {
                        "id": "cfile_image",
                        "name": "photo.png",
                        "mime_type": "image/png",
                        "preview_url": "https://files.example.com/photo.png",
                        "metadata": {"secret": "canary"},
                    }
                ),
                types.FileAttachment(id="cfile_file", name="report.pdf", mime_type="application/pdf"),
            ],
        },
    ),
    "tool": (
        types.ClientToolCallItem,
        {"call_id": "call_1", "name": "get_place", "arguments": {"near": "Zürich", "radius": 1.5}},
    ),
    "widget": (
        types.WidgetItem,
        {
            "widget": Card(children=[Text(value="A title"), Button(label="Go")]),
            "copy_text": "A title",
        },
    ),
    "custom": _task(ALL_TASKS[0]),
    "thought": _task(ALL_TASKS[1]),
    "search": _task(ALL_TASKS[2]),
    "files": _task(ALL_TASKS[3]),
    "picture": _task(ALL_TASKS[4]),
    "bare": _task(ALL_TASKS[5]),
    "group": (types.WorkflowItem, {"workflow": types.Workflow(type="custom", tasks=ALL_TASKS)}),
    "reasoning": (
        types.WorkflowItem,
        {"workflow": types.Workflow(type="reasoning", tasks=[], summary=types.DurationSummary(duration=3))},
    ),
    "image": (
        types.GeneratedImageItem,
        {"image": types.GeneratedImage(id="image_1", url="https://files.example.com/image.png")},
    ),
    "question": (
        types.StructuredInputItem,
        {"inputs": [types.StructuredInputFreeform(id="name", question="Who are you?")]},
    ),
    "end": (types.EndOfTurnItem, {}),
    "hidden": (types.HiddenContextItem, {"content": "canary"}),
    "sdk_hidden": (types.SDKHiddenContextItem, {"content": "canary"}),
}
