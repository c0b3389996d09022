"""A turn, from the first message to the last frame."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from chatdock import Turn, workflow
from tests.harness.server import serving


@workflow("wf_test")
async def echo(turn: Turn) -> AsyncIterator[str]:
    for word in turn.text.split():
        yield f"{word} "


def test_a_turn_streams_its_events_in_the_documented_order(tmp_path: Path) -> None:
    with serving(tmp_path, [echo]) as server:
        turn = server.backend.chat().create("one two three")
    # The title is made beside the answer, and comes when it is ready.
    assert turn.types.count("thread.updated") == 1
    assert turn.types.index("thread.updated") > turn.types.index("stream_options")
    said = [kind for kind in turn.types if kind != "thread.updated"]
    deltas = said.count("assistant_message.content_part.text_delta")
    assert said == [
        "thread.created",
        "thread.item.done",
        "stream_options",
        "thread.item.added",
        "assistant_message.content_part.added",
        *["assistant_message.content_part.text_delta"] * deltas,
        "assistant_message.content_part.done",
        "thread.item.done",
    ]
    assert deltas > 0
    assert turn.text == "one two three "
    assert turn.outcome == "completed"
    assert [frame.sequence for frame in turn.frames if frame.id] == list(range(1, len(turn.events) + 1))
