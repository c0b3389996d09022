"""A lamp: text, a widget, its actions, a client tool call, dictation and titles, in plain Python."""

from collections.abc import AsyncIterator
from typing import Any

from chatkit.errors import CustomStreamError
from chatkit.types import (
    AudioInput,
    ClientToolCallItem,
    HiddenContextItem,
    ThreadItem,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadStreamEvent,
    WidgetItem,
)

from chatdock import Turn, workflow

Emitted = str | ThreadStreamEvent


@workflow("wf_lamp")
async def lamp(turn: Turn) -> AsyncIterator[Emitted]:
    if turn.tool_output is not None:  # the browser has answered the call below
        yield f"You are in the {turn.tool_output.output}."
    elif turn.text == "where am I?":
        call = ClientToolCallItem(**new_item(turn), call_id=turn.new_id(), name="current_room", arguments={})
        yield ThreadItemDoneEvent(item=call)  # ends the turn; the next one brings the answer
    elif turn.text == "break":
        raise CustomStreamError("The lamp is broken.", allow_retry=True)
    else:
        turn.state["shown"] = turn.state.get("shown", 0) + 1
        yield "Here is "
        yield "the lamp."
        yield ThreadItemDoneEvent(item=HiddenContextItem(**new_item(turn), content="The lamp is off."))
        yield ThreadItemDoneEvent(item=show_lamp(new_item(turn), on=False))


@lamp.action
async def dim(turn: Turn) -> AsyncIterator[Emitted]:
    """Widget actions that stream."""
    assert turn.action is not None
    if turn.action.type == "lamp.explain":
        yield "Press the switch to turn the lamp on or off."
    elif turn.sender is not None:
        yield ThreadItemReplacedEvent(item=show_lamp(turn.sender.model_dump(), on=False))
        yield "The lamp goes out."


@lamp.sync_action
async def switch(turn: Turn) -> ThreadItem | None:
    """Widget actions that answer at once, with at most one changed item."""
    if turn.action is None or turn.sender is None:
        return None
    payload = turn.action.payload  # comes from the browser: look before you use it
    on = isinstance(payload, dict) and payload.get("on") is True
    return show_lamp(turn.sender.model_dump(), on=on)


@lamp.transcriber
async def hear(audio: AudioInput) -> str:
    """Dictation; a real one asks a speech model."""
    return f"{len(audio.data)} bytes of {audio.media_type}"


@lamp.titler
def name_thread(turn: Turn) -> str | None:
    """`async def` works as well; None leaves the thread without a title."""
    return f"Lamp: {turn.text}"


def new_item(turn: Turn) -> dict[str, Any]:
    """What every item has."""
    return {"id": turn.new_id(), "thread_id": turn.thread.id, "created_at": turn.now()}


def show_lamp(item: dict[str, Any], *, on: bool) -> WidgetItem:
    """A widget item with a lamp in it."""
    button = {
        "type": "Button",
        "label": "Off" if on else "On",
        "onClickAction": {"type": "lamp.switch", "payload": {"on": not on}, "streaming": False},
    }
    text = {"type": "Text", "value": "The lamp is on." if on else "The lamp is off."}
    card = {"type": "Card", "children": [text, button]}
    return WidgetItem.model_validate({**item, "widget": card})
