"""The kinds of things that can be a workflow, and the adapter of each."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

from chatdock.workflows.function import FunctionAdapter
from chatdock.workflows.workflow import WorkflowError, require_generator

if TYPE_CHECKING:
    from chatdock.workflows.workflow import Adapter


def adapter_for(target: Any) -> Adapter:
    """The adapter of the kind of thing that `target` is."""
    if inspect.isroutine(target) or inspect.isasyncgenfunction(target):
        require_generator(target, f"{getattr(target, '__name__', 'a workflow')}()")
        return FunctionAdapter(target)
    # Looked up, not imported: a process without agents never pays the two seconds that the Agents SDK takes.
    agents = sys.modules.get("agents")
    if agents is not None and isinstance(target, agents.Agent):
        from chatdock.workflows.agents_sdk import AgentAdapter

        return AgentAdapter(target)
    kind = target.__name__ if inspect.isclass(target) else type(target).__name__
    raise WorkflowError(
        f"{kind} is no kind of workflow that this version runs: an async generator or an Agents SDK agent"
    )
