"""The kinds of things that can be a workflow, and the adapter of each."""

from __future__ import annotations

import inspect
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from chatdock.workflows.function import FunctionAdapter
from chatdock.workflows.workflow import WorkflowError, require_generator

if TYPE_CHECKING:
    from chatdock.workflows.workflow import Adapter

KINDS = [
    ("agents", "Agent", "agents_sdk", "AgentAdapter"),
    ("langgraph.pregel", "Pregel", "langgraph", "GraphAdapter"),
    ("langgraph.graph", "StateGraph", "langgraph", "GraphAdapter"),
    ("pydantic_ai.agent", "AbstractAgent", "pydantic_ai", "PydanticAgentAdapter"),
    ("agent_framework", "BaseAgent", "agent_framework", "FrameworkAgentAdapter"),
]
"""A class, by its module and name, and its adapter, by its module here and name. Modules are looked up among those that
are imported already, so a process never pays for a library that it does not use (the Agents SDK takes two seconds)."""


def adapter_for(target: Any) -> Adapter:
    """The adapter of the kind of thing that `target` is."""
    if inspect.isroutine(target) or inspect.isasyncgenfunction(target):
        require_generator(target, f"{getattr(target, '__name__', 'a workflow')}()")
        return FunctionAdapter(target)
    for module, name, home, adapter in KINDS:
        kind = getattr(sys.modules.get(module), name, None)
        if inspect.isclass(kind) and isinstance(target, kind):
            made: Adapter = getattr(import_module(f"chatdock.workflows.{home}"), adapter)(target)
            return made
    kind = target.__name__ if inspect.isclass(target) else type(target).__name__
    raise WorkflowError(
        f"{kind} is no kind of workflow that this version runs: an async generator, or an agent of the Agents SDK, "
        "LangGraph, Pydantic AI or the Microsoft Agent Framework"
    )
