"""Registration: `workflow(id)` around whatever answers, and the table that a server looks ids up in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from chatdock.workflows.kinds import adapter_for
from chatdock.workflows.workflow import Workflow, WorkflowError

_collected: ContextVar[list[Workflow] | None] = ContextVar("collected", default=None)


def workflow(
    workflow_id: str,
    *,
    version: str | None = None,
    allow_cancel: bool = True,
    time_limit: float | None = None,
    models: Iterable[str] | Mapping[str, Any] = (),
    **options: Any,
) -> Callable[[Any], Workflow]:
    """Register what follows as the workflow `workflow_id`.

    Takes an async generator function over a `Turn`, or what is of one of the `KINDS`. Without `allow_cancel`, clients
    show no stop button. The newest registration of an id answers sessions that name no version. `time_limit` is the
    wall time that one of its runs may take, in seconds, in place of the server's. `models` are those among which a user
    may choose in the composer: names, or a mapping from the page's ids to what the library takes for a model. `options`
    are those of the kind of thing that answers: the keyword-only parameters of its adapter.
    """
    if not workflow_id or len(workflow_id) > 256:
        raise WorkflowError("a workflow's id has 1 to 256 characters")
    if time_limit is not None and time_limit <= 0:
        raise WorkflowError(f"the time_limit of workflow {workflow_id!r} must be above 0 seconds, not {time_limit}")

    def register(target: Any) -> Workflow:
        made = Workflow(
            workflow_id,
            adapter_for(target, **options),
            version=version,
            allow_cancel=allow_cancel,
            time_limit=time_limit,
            models=models if isinstance(models, Mapping) else {name: name for name in models},
        )
        collected = _collected.get()
        if collected is not None:
            if any((other.id, other.version) == (made.id, made.version) for other in collected):
                raise registered_twice(made)  # here the author's line is known
            collected.append(made)
        return made

    return register


@contextmanager
def collecting() -> Iterator[list[Workflow]]:
    """Gather the workflows that are registered inside the block."""
    gathered: list[Workflow] = []
    token = _collected.set(gathered)
    try:
        yield gathered
    finally:
        _collected.reset(token)


def registered_twice(entry: Workflow) -> WorkflowError:
    """The error of a second workflow with an id and version."""
    named = f"version {entry.version!r}" if entry.version else "no version"
    return WorkflowError(f"two workflows are registered as {entry.id!r} with {named}")


def not_here(workflow_id: str, version: str | None) -> str:
    """The sentence for who asks for a workflow that `find` does not."""
    if version is None:
        return f"Workflow '{workflow_id}' is not on this server."
    return f"Workflow '{workflow_id}' has no version '{version}' on this server."


class Registry:
    """Every workflow of a server, by id and version."""

    def __init__(self, workflows: Iterable[Workflow]) -> None:
        self._versions: dict[str, dict[str | None, Workflow]] = {}
        for entry in workflows:
            versions = self._versions.setdefault(entry.id, {})
            if entry.version in versions:
                raise registered_twice(entry)
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
