"""A lamp: text, a widget, its actions, a client tool call, dictation and titles, in plain Python."""

from collections.abc import AsyncIterator
from typing import Any

from chatkit.errors import CustomStreamError
from chatkit.types import AudioInput, ThreadItem
from pydantic import BaseModel

from chatdock import Emitted, Turn, workflow


@workflow("wf_lamp")
async def lamp(turn: Turn) -> AsyncIterator[Emitted]:
    if turn.tool_output is not None:  # the browser has answered the call below
        yield f"You are in the {turn.tool_output.output}."
    elif turn.text == "where am I?":
        yield turn.call_client("current_room")  # ends the turn; the next one brings the answer
    elif turn.text == "break":
        raise CustomStreamError("The lamp is broken.", allow_retry=True)
    else:
        turn.state["shown"] = turn.state.get("shown", 0) + 1
        yield "Here is "
        yield "the lamp."
        yield turn.hidden("The lamp is off.")
        yield turn.widget(lamp_card(on=False))


@lamp.action
async def dim(turn: Turn) -> AsyncIterator[Emitted]:
    """Widget actions that stream."""
    assert turn.action is not None
    if turn.action.type == "lamp.explain":
        yield "Press the switch to turn the lamp on or off."
    elif turn.sender is not None:
        yield turn.replace(turn.changed(turn.sender, lamp_card(on=False)))
        yield "The lamp goes out."


class Switch(BaseModel):
    """The payload of the card's button."""

    on: bool


@lamp.sync_action
async def switch(turn: Turn) -> ThreadItem | None:
    """Widget actions that answer at once, with at most one changed item."""
    if turn.action is None or turn.sender is None:
        return None
    wanted = turn.payload(Switch)  # comes from the browser: what is no Switch ends here
    return turn.changed(turn.sender, lamp_card(on=wanted.on))


@lamp.transcriber
async def hear(audio: AudioInput) -> str:
    """Dictation; a real one asks a speech model."""
    return f"{len(audio.data)} bytes of {audio.media_type}"


@lamp.titler
def name_thread(turn: Turn) -> str | None:
    """`async def` works as well; None leaves the thread without a title."""
    return f"Lamp: {turn.text}"


def lamp_card(*, on: bool) -> dict[str, Any]:
    """A widget with a lamp in it."""
    button = {
        "type": "Button",
        "label": "Off" if on else "On",
        "onClickAction": {"type": "lamp.switch", "payload": {"on": not on}, "streaming": False},
    }
    text = {"type": "Text", "value": "The lamp is on." if on else "The lamp is off."}
    return {"type": "Card", "children": [text, button]}
