"""What a thread keeps of an export's turns: the conversation as its agents know it, and its state.

Each turn that completes leaves one hidden item with what it added. So what a retry takes out of the thread is also
out of the memory, and a long conversation is not stored again with every turn. What stands in the thread and in no such
item, since a turn broke off or another server had it, is read from the thread's own items.
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from chatdock.workflows.agent_builder.journal import plain
from chatdock.workflows.input_items import TurnConverter
from chatdock.workflows.turn import KEPT, kept
from chatdock.workflows.workflow import WorkflowError

if TYPE_CHECKING:
    from chatkit.types import ThreadItem, ThreadItemDoneEvent

    from chatdock.workflows.turn import Turn

HISTORY_ITEMS = 300
"""So many of the newest items of the conversation are given to the workflow."""

CALL_ID_LENGTH = 64
"""Characters of a function call's id and of its name, at most; in a name those of `_NO_NAME` may not be."""
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]")

Items = list[dict[str, Any]]


@dataclass(slots=True)
class Memory:
    """What one turn starts with. JSON values."""

    known: Items = field(default_factory=list)
    """The conversation that earlier turns left."""
    unknown: Items = field(default_factory=list)
    """What stands in the thread since then."""
    state: dict[str, Any] = field(default_factory=dict)
    """The session's state variables under what earlier turns changed."""
    saved: dict[str, Any] = field(default_factory=dict)
    """What earlier turns changed of the state."""

    @classmethod
    async def of(cls, turn: Turn) -> Memory:
        """The thread's memory before this turn."""
        if turn.stored is not None:
            await turn.stored()
        memory = cls()
        unread: list[ThreadItem] = []
        for item in [] if turn.load_items is None else await turn.load_items(None, None):
            found = kept(item)
            left = None if found is None else found.get("left")
            if left is not None:
                memory.known = left["history"] if left["anew"] else memory.known + left["history"]
                memory.saved = left["state"]
                unread = []
            elif found is None and (turn.message is None or item.id != turn.message.id):
                unread.append(item)
        memory.known = shortened(memory.known)
        memory.unknown = plain(await TurnConverter().to_agent_input(unread)) if unread else []
        memory.state = {**turn.session.state_variables, **memory.saved}
        return memory

    @property
    def history(self) -> Items:
        """The conversation before this turn, for the workflow to change as it likes."""
        return deepcopy(shortened(self.known + self.unknown))

    def kept(self, turn: Turn, history: list[Any] | None, state: dict[str, Any]) -> ThreadItemDoneEvent:
        """The event that leaves what a completed turn made of it; no history where the file has no such thing."""
        for name, value in state.items():
            try:
                orjson.dumps(value)
            except TypeError as error:
                raise WorkflowError(f"state[{name!r}] cannot be stored: {error}") from error
        left: dict[str, Any] = {"history": [], "anew": False, "state": state}
        if history is not None:
            lasting, known = lasting_forms(plain(history)), lasting_forms(self.known)
            left["anew"] = lasting[: len(known)] != known
            left["history"] = shortened(lasting) if left["anew"] else lasting[len(known) :]
        return turn.hidden({KEPT: {"left": left}})


def model_input(given: Any) -> Any:
    """What a file gives an agent, as both APIs take it.

    The exporter writes an assistant's message as parts, with an id that is None; models of Chat Completions get text.
    """
    if not isinstance(given, list):
        return given
    return [_message(item) if isinstance(item, dict) and "type" not in item else item for item in given]


def _message(item: dict[str, Any]) -> dict[str, Any]:
    match item:
        case {"role": "assistant", "content": content}:
            return {"role": "assistant", "content": _text(content)}
        case _:
            return {name: value for name, value in item.items() if name != "id" or value is not None}


def _text(content: str | list[dict[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or part.get("refusal") or "" for part in content)


def lasting_forms(items: Items) -> Items:
    """Items of the conversation as later turns can send them to any model."""
    return [lasting for item in items for lasting in _lasting_form(item)]


def _lasting_form(item: dict[str, Any]) -> Items:
    """An item as its own turn has it; nothing of thoughts and searches, whose ids the provider forgets."""
    match item.get("type", "message"):
        case "message" if item.get("role") == "assistant":
            content = _text(item["content"])
            return [{"type": "message", "role": "assistant", "content": content}] if content else []
        case "message":
            return [{name: value for name, value in item.items() if name in {"type", "role", "content"}}]
        case "function_call":
            return [{name: item[name] for name in ("type", "call_id", "name", "arguments")}]
        case "function_call_output":
            return [{name: item[name] for name in ("type", "call_id", "output")}]
        case "mcp_call":  # with its output in it, as a call that was made here
            call = {"call_id": item["id"][:CALL_ID_LENGTH], "name": _NO_NAME.sub("_", item["name"])[:CALL_ID_LENGTH]}
            output = str(item.get("output") or item.get("error") or "")
            return [
                {"type": "function_call", **call, "arguments": item["arguments"]},
                {"type": "function_call_output", "call_id": call["call_id"], "output": output},
            ]
        case _:
            return []


def shortened(history: Items) -> Items:
    """The newest items, from a user's message on where there is one: no tool's output stands without its call."""
    if len(history) <= HISTORY_ITEMS:
        return history
    newest = history[-HISTORY_ITEMS:]
    begin = next((n for n, item in enumerate(newest) if item.get("role") == "user"), None)
    if begin is not None:
        return newest[begin:]
    calls = {item["call_id"] for item in newest if item.get("type") == "function_call"}
    return [item for item in newest if item.get("type") != "function_call_output" or item["call_id"] in calls]
