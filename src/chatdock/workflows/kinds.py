"""The kinds of things that can be a workflow, and the adapter of each."""

from __future__ import annotations

import inspect
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from chatdock.workflows.function import FunctionAdapter
from chatdock.workflows.workflow import WorkflowError, require_generator

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatdock.workflows.workflow import Adapter


class Kind(NamedTuple):
    """A class by its module and name, what it is called, and its adapter by its module here and name."""

    module: str
    name: str
    what: str
    home: str
    adapter: str
    classes: bool = False
    """Whether a subclass is taken as it is, beside its instances."""


KINDS = [
    Kind("agents", "Agent", "an agent of the Agents SDK", "agents_sdk", "AgentAdapter"),
    Kind(
        "chatdock.workflows.agent_builder.export",
        "Export",
        "an export of Agent Builder",
        "agent_builder.adapter",
        "ExportAdapter",
    ),
    Kind("chatkit.server", "ChatKitServer", "a ChatKitServer", "chatkit_server", "ServerAdapter", classes=True),
    Kind("langgraph.pregel", "Pregel", "a graph of LangGraph", "langgraph", "GraphAdapter"),
    Kind("langgraph.graph", "StateGraph", "a graph of LangGraph", "langgraph", "GraphAdapter"),
    Kind("pydantic_ai.agent", "AbstractAgent", "an agent of Pydantic AI", "pydantic_ai", "PydanticAgentAdapter"),
    Kind("agent_framework", "BaseAgent", "an agent of the Agent Framework", "agent_framework", "FrameworkAgentAdapter"),
]
"""Modules are looked up among those that are imported already, so a process never pays for a library that it does not
use (the Agents SDK takes two seconds)."""


def adapter_for(target: Any, **options: Any) -> Adapter:
    """The adapter of the kind of thing that `target` is.

    Its options are the keyword-only parameters of the adapter's class; `WorkflowError` names one that it has not.
    """
    if inspect.isroutine(target) or inspect.isasyncgenfunction(target):
        require_generator(target, f"{getattr(target, '__name__', 'a workflow')}()")
        return _made(FunctionAdapter, "an async generator", target, options)
    for kind in KINDS:
        known = getattr(sys.modules.get(kind.module), kind.name, None)
        subject = target if kind.classes and inspect.isclass(target) else type(target)
        if inspect.isclass(known) and issubclass(subject, known):
            adapter = getattr(import_module(f"chatdock.workflows.{kind.home}"), kind.adapter)
            return _made(adapter, kind.what, target, options)
    name = target.__name__ if inspect.isclass(target) else type(target).__name__
    raise WorkflowError(
        f"{name} is no kind of workflow that this version runs: an async generator, an agent of the Agents SDK, "
        "LangGraph, Pydantic AI or the Microsoft Agent Framework, or a ChatKitServer"
    )


def _made(adapter: Callable[..., Adapter], kind: str, target: Any, options: dict[str, Any]) -> Adapter:
    parameters = inspect.signature(adapter).parameters.values()
    known = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    unknown = options.keys() - known
    if unknown:
        has = f"its options are {', '.join(known)}" if known else "it has no options of its own"
        raise WorkflowError(f"workflow() knows no option {min(unknown)!r} for {kind}: {has}")
    return adapter(target, **options)
