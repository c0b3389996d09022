"""How far a run of an agent has come: what its model was given and said, and what its tools came to.

Items of a model's input, as JSON: with them a run goes on without its model being asked, or a tool being called, for
what is there already.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agents import Agent
from agents.items import ItemHelpers
from agents.tool_context import ToolContext
from pydantic_core import to_jsonable_python

from chatdock.workflows.agents_sdk.team import team

if TYPE_CHECKING:
    from agents import ModelResponse

Item = dict[str, Any]

REJECTED = "Tool execution was not approved."
"""What the model is told of a call that the user rejected; the SDK's own words."""
UNKNOWN = (
    "This call broke off: it is not known whether it was carried out. Tell the user so, and ask before anything is "
    "done a second time."
)
NOT_BEGUN = "This call was not carried out: the answer broke off before it."
OUTPUT_TOLD = 1000
"""Characters of a tool's output, at most, that a later turn is told."""

_OUTPUTS: dict[str, Any] = {
    "function_call": lambda text: {"type": "function_call_output", "output": text},
    "custom_tool_call": lambda text: {"type": "custom_tool_call_output", "output": text},
    "apply_patch_call": lambda text: {"type": "apply_patch_call_output", "status": "failed", "output": text},
    "shell_call": lambda text: {
        "type": "shell_call_output",
        "output": [{"stdout": text, "stderr": "", "outcome": {"type": "exit", "exit_code": 1}}],
    },
}
"""Calls that are executed here, and their outputs."""


@dataclass(slots=True)
class Progress:
    """Of one run; JSON."""

    agent: str = ""
    """Whose turn it is, by name."""
    input: list[Any] = field(default_factory=list)
    """What the model was given last, with what it said to that."""
    given: int = 0
    """So many items of it the run began with."""
    outputs: list[Item] = field(default_factory=list)
    """What the calls at its end have come to so far."""
    begun: list[str] = field(default_factory=list)
    """The ids of calls that may have begun."""
    loose: bool = False
    """Whether a tool has ended whose output stands in no list yet."""
    said: list[Item] = field(default_factory=list)
    """What the model has said of an answer that is not complete; nothing of it is stored."""

    def asked(self, agent: str, given: list[Any]) -> None:
        """The model is asked: all outputs so far are in what it is given."""
        if not self.input:
            self.given = len(given)
        self.agent, self.input = agent, list(given)
        self.outputs, self.begun, self.said, self.loose = [], [], [], False

    def answered(self, response: ModelResponse) -> None:
        """The model has come to the end of an answer."""
        self.input += response.to_input_items()
        self.outputs, self.said = [], []

    def streamed(self, item: Any) -> bool:
        """The model has said this, and goes on; whether it is a call, which its provider has executed."""
        self.said.append(item.model_dump(mode="json", exclude_unset=True))
        if item.type != "mcp_call" or any(
            known.get("id") == item.id for known in self.input if isinstance(known, dict)
        ):
            return False
        self.outputs += self.said
        self.said = []
        return True

    def begins(self, context: Any) -> None:
        """A tool is about to be called."""
        if isinstance(context, ToolContext):
            self.begun.append(context.tool_call_id)

    def ended(self, context: Any, result: Any) -> None:
        """A tool has come to its end."""
        if isinstance(context, ToolContext) and context.tool_call is not None:
            self.outputs.append(dict(ItemHelpers.tool_call_output_item(context.tool_call, result)))
        else:  # of other tools the SDK tells the output when the model is asked
            self.loose = True

    def settle(self, call_id: str, output: str) -> None:
        """A call comes to this without being executed here."""
        for call in self.input:
            if _is_call(call) and call["call_id"] == call_id:
                self.outputs.append(_OUTPUTS[call["type"]](output) | {"call_id": call_id})
                return

    def respond(self, request_id: str, *, approve: bool) -> None:
        """The user has decided about a call that the model's provider executes."""
        self.outputs.append({"type": "mcp_approval_response", "approval_request_id": request_id, "approve": approve})

    def as_input(self) -> list[Any]:
        """What the model is given to go on: of calls without an output, that they broke off or never began."""
        known = {each["call_id"] for each in self._items if _is_output(each)}
        missing = [
            _OUTPUTS[call["type"]](UNKNOWN if call["call_id"] in self.begun else NOT_BEGUN)
            | {"call_id": call["call_id"]}
            for call in self.input
            if _is_call(call) and call["call_id"] not in known
        ]
        return [*self._items, *missing]

    def current(self, first: Agent[Any]) -> Agent[Any]:
        """The agent whose turn it is, of those that the first one can reach; else the first."""
        return next((agent for agent in team([first]) if agent.name == self.agent), first)

    def ran(self, *, waits: bool = False) -> list[str]:
        """What the run's calls came to, a line for each; those without an output are left out while they wait."""
        items = (self._items if waits else self.as_input())[self.given :]
        outputs = {each["call_id"]: each.get("output") for each in items if _is_output(each)}
        executed = [(call, outputs[call["call_id"]]) for call in items if _is_call(call) and call["call_id"] in outputs]
        executed += [(call, call.get("output") or call.get("error")) for call in items if _is_hosted(call)]
        return [
            f"{call.get('name') or call['type']}({call.get('arguments') or ''}): {_text(output)}"
            for call, output in executed
        ]

    @property
    def _items(self) -> list[Any]:
        return [*self.input, *self.outputs]

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        members = ("agent", "input", "given", "outputs", "begun")
        stored: dict[str, Any] = to_jsonable_python({name: getattr(self, name) for name in members})
        return stored

    @classmethod
    def of(cls, stored: dict[str, Any] | None) -> Progress:
        """As it was stored; without that a run's beginning."""
        return cls(**stored or {})


def _is_call(item: Any) -> bool:
    return isinstance(item, dict) and item.get("type") in _OUTPUTS


def _is_hosted(item: Any) -> bool:
    return isinstance(item, dict) and item.get("type") == "mcp_call"


def _is_output(item: Any) -> bool:
    return isinstance(item, dict) and str(item.get("type", "")).endswith("_call_output")


def _text(output: Any) -> str:
    if isinstance(output, list):
        output = "".join(str(part.get("text") or part.get("stdout") or "") for part in output if isinstance(part, dict))
    text = str(output or "")
    return text if len(text) <= OUTPUT_TOLD else f"{text[: OUTPUT_TOLD - 1]}…"
