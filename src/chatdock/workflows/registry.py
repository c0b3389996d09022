"""Registration: `workflow(id)` around whatever answers, and the table that a server looks ids up in."""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from chatkit.types import AudioInput, ThreadItem, ThreadStreamEvent, TranscriptionResult

from chatdock.workflows.turn import Turn

Emitted = str | ThreadStreamEvent
"""What a workflow yields: assistant text, or an event of `chatkit.types`."""
Respond = Callable[[Turn], AsyncIterator[Emitted]]
SyncAction = Callable[[Turn], Awaitable[ThreadItem | None]]
Transcribe = Callable[[AudioInput], Awaitable[str | TranscriptionResult]]
Title = Callable[[Turn], Awaitable[str | None]] | Callable[[Turn], str | None]


class Adapter(Protocol):
    """What makes one kind of thing answer turns."""

    @property
    def title(self) -> Title:
        """Names a thread whose workflow has no titler of its own."""
        ...

    @property
    def needs_model(self) -> bool:
        """Whether it is answered by the configured model endpoint."""
        ...

    @property
    def respond(self) -> Respond:
        """Answer a message, a tool's output or structured input."""
        ...


class WorkflowError(Exception):
    """A workflow that cannot be registered or did what no workflow may do; the message is for its author."""


class Workflow:
    """Something that answers, under an id and a version.

    `action`, `sync_action`, `transcriber` and `titler` register what it does beside answering; each can be used as a
    decorator. Without a titler a thread is named after its first message.
    """

    def __init__(self, workflow_id: str, adapter: Adapter, *, version: str | None, allow_cancel: bool) -> None:
        self.id = workflow_id
        self.version = version
        self.adapter = adapter
        self.allow_cancel = allow_cancel
        self.respond: Respond = adapter.respond
        self.on_action: Respond | None = None
        self.on_sync_action: SyncAction | None = None
        self.on_transcribe: Transcribe | None = None
        self.on_title: Title = adapter.title

    @property
    def needs_model(self) -> bool:
        """Whether it is answered by the configured model endpoint."""
        return self.adapter.needs_model

    def action(self, function: Respond) -> Respond:
        """Perform widget actions: an async generator like the workflow itself; see `turn.action`, `turn.sender`."""
        _require_generator(function, f"the action of workflow {self.id!r}")
        self.on_action = function
        return function

    def sync_action(self, function: SyncAction) -> SyncAction:
        """Perform widget actions that do not stream: `async def`, returns the one item it changed, or None."""
        self.on_sync_action = function
        return function

    def transcriber(self, function: Transcribe) -> Transcribe:
        """Turn recorded speech into text: `async def (audio: AudioInput)`, returns the text."""
        self.on_transcribe = function
        return function

    def titler(self, function: Title) -> Title:
        """Name a thread after its first message: `def` or `async def (turn)`, returns a title, or None for none."""
        self.on_title = function
        return function

    def __repr__(self) -> str:
        return f"Workflow({self.id!r}, version={self.version!r})"


_collected: ContextVar[list[Workflow] | None] = ContextVar("collected", default=None)


def workflow(workflow_id: str, *, version: str | None = None, allow_cancel: bool = True) -> Callable[[Any], Workflow]:
    """Register what follows as the workflow `workflow_id`.

    Takes an async generator function over a `Turn`, or an Agents SDK agent. Without `allow_cancel`, clients show no
    stop button. The newest registration of an id answers sessions that name no version.
    """
    if not workflow_id or len(workflow_id) > 256:
        raise WorkflowError("a workflow's id has 1 to 256 characters")

    def register(target: Any) -> Workflow:
        made = Workflow(workflow_id, adapter_for(target), version=version, allow_cancel=allow_cancel)
        collected = _collected.get()
        if collected is not None:
            collected.append(made)
        return made

    return register


def adapter_for(target: Any) -> Adapter:
    """The adapter of the kind of thing that `target` is."""
    from chatdock.workflows.function import FunctionAdapter

    if inspect.isasyncgenfunction(target):
        return FunctionAdapter(target)
    # Looked up, not imported: a process without agents never pays the two seconds that the Agents SDK takes.
    agents = sys.modules.get("agents")
    if agents is not None and isinstance(target, agents.Agent):
        from chatdock.workflows.agents_sdk import AgentAdapter

        return AgentAdapter(target)
    kind = target.__name__ if inspect.isclass(target) else type(target).__name__
    if inspect.iscoroutinefunction(target) or inspect.isgeneratorfunction(target) or inspect.isfunction(target):
        raise WorkflowError(
            f"{target.__name__}() is not an async generator: write `async def {target.__name__}(turn)` and yield"
        )
    raise WorkflowError(
        f"{kind} is no kind of workflow that this version runs: an async generator or an Agents SDK agent"
    )


@contextmanager
def collecting() -> Iterator[list[Workflow]]:
    """Gather the workflows that are registered inside the block."""
    gathered: list[Workflow] = []
    token = _collected.set(gathered)
    try:
        yield gathered
    finally:
        _collected.reset(token)


class Registry:
    """Every workflow of a server, by id and version."""

    def __init__(self, workflows: Iterable[Workflow]) -> None:
        self._versions: dict[str, dict[str | None, Workflow]] = {}
        for entry in workflows:
            versions = self._versions.setdefault(entry.id, {})
            if entry.version in versions:
                named = f"version {entry.version!r}" if entry.version else "no version"
                raise WorkflowError(f"two workflows are registered as {entry.id!r} with {named}")
            versions[entry.version] = entry

    def __contains__(self, workflow_id: object) -> bool:
        return workflow_id in self._versions

    def __iter__(self) -> Iterator[str]:
        return iter(self._versions)

    def find(self, workflow_id: str, version: str | None) -> Workflow | None:
        """The workflow with this id and version; without a version the one that was registered last."""
        versions = self._versions.get(workflow_id, {})
        if version is None:
            return next(reversed(versions.values()), None)
        return versions.get(version)


def _require_generator(function: Any, what: str) -> None:
    if not inspect.isasyncgenfunction(function):
        raise WorkflowError(f"{what} must be an async generator: write `async def` and yield")
