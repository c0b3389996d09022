"""Exports without a server: their agents answer what a test says."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

from agents import RunContextWrapper

from chatdock.workflows.agent_builder.export import Export


class Scripted:
    """`Runner` for a file: agents answer what the test says, in order."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[Any, dict[str, Any]]] = []

    async def run(self, agent: Any, **given: Any) -> Any:
        self.asked.append((agent, given))
        answer = self.answers.pop(0)
        return SimpleNamespace(final_output=answer, new_items=[], final_output_as=lambda _kind: answer)


async def run(export: Export, *answers: Any, text: str = "Hello") -> tuple[Any, Scripted]:
    """Execute a workflow with scripted agents and no tracing; what it returned."""
    module: Any = export.module
    module.Runner = runner = Scripted(*answers)
    if hasattr(module, "trace"):
        module.trace = lambda _name: nullcontext()
    return await module.run_workflow(module.WorkflowInput(input_as_text=text)), runner


def prompt(export: Export, function: str, context: str, *given: Any) -> str:
    """What a function of instructions makes of its context."""
    module: Any = export.module
    agent = next(iter(export.agents.values()))
    return str(getattr(module, function)(RunContextWrapper(getattr(module, context)(*given)), agent))
