"""What a file reads of a step: the same whether it has just been taken, or was before the workflow waited."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chatdock.workflows.agent_builder.journal import plain

if TYPE_CHECKING:
    from agents import Agent


class Result:
    """What a file reads of a run that has ended, whether it was run now or before the workflow waited."""

    def __init__(self, given: Any, items: list[dict[str, Any]], output: Any, last_agent: Agent[Any]) -> None:
        self.input = given
        self.new_items = [Item(item) for item in items]
        self.final_output = output
        self.last_agent = last_agent

    def final_output_as(self, cls: type[Any], raise_if_incorrect_type: bool = False) -> Any:
        """The final output; `TypeError` when it is of another type and that is to be an error."""
        if raise_if_incorrect_type and not isinstance(self.final_output, cls):
            raise TypeError(f"the final output is no {cls.__name__}")
        return self.final_output

    def to_input_list(self) -> list[Any]:
        """What was given, then what came of it."""
        given = [{"role": "user", "content": self.input}] if isinstance(self.input, str) else list(self.input)
        return [*given, *(item.to_input_item() for item in self.new_items)]


class Item:
    """An item of a run, as an input item."""

    def __init__(self, item: dict[str, Any]) -> None:
        self.raw_item = item
        self.type = item.get("type", "message")

    def to_input_item(self) -> dict[str, Any]:
        """A copy: files mask what they send on."""
        return deepcopy(self.raw_item)


@dataclass(slots=True)
class GuardrailResult:
    """What a guardrail found, as the package has it."""

    tripwire_triggered: bool
    info: dict[str, Any] = field(default_factory=dict)
    execution_failed: bool = False
    original_exception: None = None


class Found(dict[str, Any]):
    """A search's result: its members are attributes too, as those of OpenAI's client are; missing ones are None."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.get(name)


def found(value: Any) -> Any:
    """A search's result as plain data, as files read it."""
    if isinstance(value, dict):
        return Found({name: found(each) for name, each in value.items()})
    return [found(each) for each in value] if isinstance(value, list) else value


def verdict(result: Any) -> dict[str, Any]:
    """A guardrail's result as plain data, from which `GuardrailResult` is made."""
    return {
        "tripwire_triggered": bool(result.tripwire_triggered),
        "execution_failed": bool(getattr(result, "execution_failed", False)),
        "info": plain(result.info or {}),
    }
