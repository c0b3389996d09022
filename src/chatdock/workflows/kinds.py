"""The kinds of things that can be a workflow, and the adapter of each."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

from chatdock.workflows.function import FunctionAdapter
from chatdock.workflows.workflow import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatdock.workflows.workflow import Adapter


def adapter_for(target: Any, **options: Any) -> Adapter:
    """The adapter of the kind of thing that `target` is.

    Its options are the keyword-only parameters of the adapter's class; `WorkflowError` names one that it has not.
    """
    if inspect.isasyncgenfunction(target):
        return _made(FunctionAdapter, "an async generator", target, options)
    # Looked up, not imported: a process without agents never pays the two seconds that the Agents SDK takes.
    agents = sys.modules.get("agents")
    if agents is not None and isinstance(target, agents.Agent):
        from chatdock.workflows.agents_sdk import AgentAdapter

        return _made(AgentAdapter, "an Agents SDK agent", target, options)
    servers = sys.modules.get("chatkit.server")
    if servers is not None and issubclass(target if inspect.isclass(target) else type(target), servers.ChatKitServer):
        from chatdock.workflows.chatkit_server import ServerAdapter

        return _made(ServerAdapter, "a ChatKitServer", target, options)
    kind = target.__name__ if inspect.isclass(target) else type(target).__name__
    if inspect.iscoroutinefunction(target) or inspect.isgeneratorfunction(target) or inspect.isfunction(target):
        raise WorkflowError(
            f"{target.__name__}() is not an async generator: write `async def {target.__name__}(turn)` and yield"
        )
    raise WorkflowError(
        f"{kind} is no kind of workflow that this version runs: an async generator, an Agents SDK agent or a "
        "ChatKitServer"
    )


def _made(adapter: Callable[..., Adapter], kind: str, target: Any, options: dict[str, Any]) -> Adapter:
    parameters = inspect.signature(adapter).parameters.values()
    known = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    unknown = options.keys() - known
    if unknown:
        has = f"its options are {', '.join(known)}" if known else "it has no options of its own"
        raise WorkflowError(f"workflow() knows no option {min(unknown)!r} for {kind}: {has}")
    return adapter(target, **options)
