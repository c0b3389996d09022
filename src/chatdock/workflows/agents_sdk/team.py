"""An agent and everyone that it may reach: through handoffs, and as tools."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from agents import Agent, FunctionTool, Handoff

from chatdock.workflows.workflow import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def team(agents: Iterable[Agent[Any]]) -> list[Agent[Any]]:
    """These agents and all that they reach, each once. What a handoff or a tool calls is known if the SDK made it."""
    found: dict[int, Agent[Any]] = {}
    waiting = list(agents)
    while waiting:
        agent = waiting.pop(0)
        if id(agent) not in found:
            found[id(agent)] = agent
            waiting += _next(agent)
    return list(found.values())


def refuse_namesakes(agents: Iterable[Agent[Any]]) -> None:
    """`WorkflowError` when an agent has two tools of one name: the page could be asked in place of the server."""
    for agent in agents:
        names = Counter(tool.name for tool in agent.tools if isinstance(tool, FunctionTool))
        twice = next((name for name, count in names.items() if count > 1), None)
        if twice is not None:
            raise WorkflowError(f"agent {agent.name!r} has two tools called {twice!r}: give one of them another name")


def _next(agent: Agent[Any]) -> Iterator[Agent[Any]]:
    for each in agent.handoffs:
        known = each._agent_ref and each._agent_ref() if isinstance(each, Handoff) else each
        if isinstance(known, Agent):
            yield known
    for tool in agent.tools:
        known = getattr(tool, "_agent_instance", None)
        if isinstance(known, Agent):
            yield known
