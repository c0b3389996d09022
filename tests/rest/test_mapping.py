"""From items on the wire to items in REST: what becomes of each type, row by row."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from tests.harness.client import Chat, Json, message
from tests.harness.server import ThreadServer

COMMON = {"id", "object", "created_at", "thread_id", "type"}
UNSHOWN = ("image", "question", "end", "hidden", "sdk_hidden")


def made_by(server: ThreadServer, words: str) -> list[Json]:
    """The REST items, oldest first, that the scripted workflow left beside the user's message."""
    thread_id = server.backend.chat("mapping", "wf_items").create(words).thread_id
    first, *others = rest_items(server, thread_id)
    assert first["type"] == "chatkit.user_message"
    return others


def rest_items(server: ThreadServer, thread_id: str) -> list[Json]:
    data: list[Json] = server.backend.get(f"threads/{thread_id}/items", order="asc", limit=100)["data"]
    return data


def own(item: Json) -> Json:
    """What an item has beside the members that all have."""
    assert item.keys() >= COMMON
    return {name: value for name, value in item.items() if name not in COMMON}


def said(chat: Chat, server: ThreadServer, wanted: Json) -> Json:
    """The REST item of a user's message."""
    event = chat.stream("threads.create", input=wanted)[0].event
    assert event is not None
    return own(rest_items(server, event["thread"]["id"])[0])


def test_every_item_has_its_id_its_thread_and_a_time_in_unix_seconds(server: ThreadServer) -> None:
    chat = server.backend.chat("mapping", "wf_items")
    thread_id = chat.create("message widget custom group tool").thread_id
    wire, rest = chat.items(thread_id), rest_items(server, thread_id)
    assert len(wire) == len(rest) == 6
    for before, after in zip(wire, rest, strict=True):
        assert after["id"] == before["id"]
        assert after["thread_id"] == before["thread_id"] == thread_id
        assert after["object"] == "chatkit.thread_item"
        assert after["created_at"] == int(datetime.fromisoformat(before["created_at"]).timestamp())
        assert type(after["created_at"]) is int
    assert [item["type"] for item in rest] == [
        "chatkit.user_message",
        "chatkit.assistant_message",
        "chatkit.widget",
        "chatkit.task",
        "chatkit.task_group",
        "chatkit.client_tool_call",
    ]


def test_a_tag_becomes_text_where_it_stands(server: ThreadServer) -> None:
    wanted = message("ask ")
    wanted["content"] += [
        {"type": "input_tag", "id": "1", "text": "Ada", "data": {}},
        {"type": "input_text", "text": " now"},
    ]
    shown = said(server.backend.chat("mapping"), server, wanted)
    assert shown["content"] == [{"type": "input_text", "text": text} for text in ("ask ", "Ada", " now")]


@pytest.mark.parametrize(("quoted", "blocks"), [("you said", [{"type": "quoted_text", "text": "you said"}]), ("", [])])
def test_a_quote_stands_before_the_text_and_an_empty_one_nowhere(
    server: ThreadServer, quoted: str, blocks: list[Json]
) -> None:
    shown = said(server.backend.chat("mapping"), server, {**message("yes"), "quoted_text": quoted})
    assert shown["content"] == [*blocks, {"type": "input_text", "text": "yes"}]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({}, None),
        ({"model": "large"}, {"tool_choice": None, "model": "large"}),
        ({"tool_choice": {"id": "search"}}, {"tool_choice": {"id": "search"}, "model": None}),
        ({"tool_choice": None, "model": None}, None),
    ],
)
def test_inference_options_are_null_or_complete(server: ThreadServer, given: Json, shown: Json | None) -> None:
    item = said(server.backend.chat("mapping"), server, {**message("hi"), "inference_options": given})
    assert item["inference_options"] == shown
    assert item["attachments"] == []


def test_attachments_have_a_name_a_type_and_perhaps_a_preview(server: ThreadServer) -> None:
    [item] = made_by(server, "with_files")
    assert own(item) == {
        "content": [],
        "inference_options": None,
        "attachments": [
            {
                "type": "image",
                "id": "cfile_image",
                "name": "photo.png",
                "mime_type": "image/png",
                "preview_url": "https://files.example.com/photo.png",
            },
            {
                "type": "file",
                "id": "cfile_file",
                "name": "report.pdf",
                "mime_type": "application/pdf",
                "preview_url": None,
            },
        ],
    }


def test_citations_of_files_and_pages_stay_and_those_of_entities_are_left_out(server: ThreadServer) -> None:
    [item] = made_by(server, "message")
    assert own(item)["content"] == [
        {
            "type": "output_text",
            "text": "cited",
            "annotations": [
                {"type": "url", "source": {"type": "url", "url": "https://example.com/page"}},
                {"type": "file", "source": {"type": "file", "filename": "report.pdf"}},
            ],
        },
        {"type": "output_text", "text": "plain", "annotations": []},
    ]


@pytest.mark.parametrize("result", [{"found": ["Zürich", 1, None]}, "text", 0, False, [], None])
def test_a_tool_call_carries_json_and_its_output_only_once_it_is_completed(server: ThreadServer, result: Any) -> None:
    chat = server.backend.chat("mapping", "wf_items")
    thread_id = chat.create("tool").thread_id
    pending = own(rest_items(server, thread_id)[1])
    assert (pending["name"], pending["call_id"]) == ("get_place", "call_1")
    assert json.loads(pending["arguments"]) == {"near": "Zürich", "radius": 1.5}
    assert (pending["status"], pending["output"]) == ("in_progress", None)
    chat.stream("threads.add_client_tool_output", thread_id=thread_id, result=result)
    completed = own(rest_items(server, thread_id)[1])
    assert completed["status"] == "completed"
    assert type(completed["output"]) is str
    assert json.loads(completed["output"]) == result


def test_a_widget_is_the_json_that_the_browser_draws(server: ThreadServer) -> None:
    chat = server.backend.chat("mapping", "wf_items")
    thread_id = chat.create("widget").thread_id
    shown = own(rest_items(server, thread_id)[1])
    assert set(shown) == {"widget"}
    assert json.loads(shown["widget"]) == chat.items(thread_id)[1]["widget"]
    assert json.loads(shown["widget"])["type"] == "Card"


TASKS = {
    "custom": {"type": "custom", "heading": "Custom", "summary": "done"},
    "thought": {"type": "thought", "heading": "Thought", "summary": "thinking"},
    "search": {"type": "custom", "heading": "Search", "summary": "one, two"},
    "files": {"type": "custom", "heading": "Files", "summary": "A file"},
    "picture": {"type": "custom", "heading": "Image", "summary": None},
    "bare": {"type": "custom", "heading": None, "summary": None},
}


@pytest.mark.parametrize("kind", TASKS)
def test_every_kind_of_task_is_custom_or_a_thought(server: ThreadServer, kind: str) -> None:
    [item] = made_by(server, kind)
    shown = own(item)
    assert {"type": shown.pop("task_type"), **shown} == TASKS[kind]


def test_a_workflow_is_a_group_of_its_tasks(server: ThreadServer) -> None:
    group, empty = made_by(server, "group reasoning")
    assert own(group) == {"tasks": list(TASKS.values())}
    assert own(empty) == {"tasks": []}


@pytest.mark.parametrize("kind", UNSHOWN)
def test_what_has_no_rest_type_is_left_out(server: ThreadServer, kind: str) -> None:
    assert made_by(server, kind) == []


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_are_filled_past_what_is_left_out(server: ThreadServer, order: str) -> None:
    words = " ".join(f"{' '.join(UNSHOWN)} custom" for _ in range(7)) + " " + " ".join(UNSHOWN)
    thread_id = server.backend.chat("mapping", "wf_items").create(words).thread_id
    path, after = f"threads/{thread_id}/items", None
    pages: list[Json] = []
    while not pages or pages[-1]["has_more"]:
        pages.append(server.backend.get(path, limit=3, order=order, **({"after": after} if after else {})))
        after = pages[-1]["last_id"]
    assert [len(page["data"]) for page in pages] == [3, 3, 2]
    found = [item for page in pages for item in page["data"]]
    assert found == server.backend.get(path, limit=100, order=order)["data"]
    kinds = ["chatkit.user_message", *["chatkit.task"] * 7]
    assert [item["type"] for item in found] == (kinds if order == "asc" else kinds[::-1])


def test_a_page_before_an_item_holds_its_nearest_neighbours(server: ThreadServer) -> None:
    words = " ".join(f"custom {' '.join(UNSHOWN)}" for _ in range(6))
    thread_id = server.backend.chat("mapping", "wf_items").create(words).thread_id
    path = f"threads/{thread_id}/items"
    everything = server.backend.get(path, order="asc")["data"]
    page = server.backend.get(path, order="asc", before=everything[5]["id"], limit=2)
    assert page["data"] == everything[3:5]
    assert page["has_more"]
