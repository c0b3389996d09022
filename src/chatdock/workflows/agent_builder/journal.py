"""The finished steps of a workflow that waits for the user, and how it gets back to where it stood.

A step is what costs something or asks somebody: an agent's run, guardrails, a search, an approval. To go on, the
workflow is executed again from its beginning; steps that the journal holds are not taken a second time.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import orjson
from pydantic_core import to_jsonable_python

if TYPE_CHECKING:
    from chatdock.workflows.limits import LimitReached

Step = dict[str, Any]


class Stopped(BaseException):
    """The workflow goes no further for now. No `Exception`: files catch those, to "continue on error"."""


class Suspended(Stopped):
    """It waits for the user."""


class OverLimit(Stopped):
    """It has reached a limit, which ends the turn."""

    def __init__(self, limit: LimitReached) -> None:
        super().__init__(str(limit))
        self.limit = limit


class Diverged(Stopped):
    """Executed again, it does not come by where it was: going on would mix two different runs."""


class StepFailed(Exception):
    """A step had failed when it was taken, and the file had caught that: it fails again."""


class Journal:
    """Steps in the order in which the workflow began them, each with its outcome once it has one; JSON values.

    A step that waits has `waits`: true for the one that the user is asked about, else its own pause. Steps beside each
    other are told apart by their order alone.
    """

    def __init__(self, steps: list[Step] | None = None) -> None:
        self.steps: list[Step] = list(steps or ())
        self._recorded = len(self.steps)
        self._place = 0
        self._failures: dict[int, int] = {}

    @property
    def known(self) -> list[Step]:
        """Copies of the steps, to go on from when the workflow breaks off.

        A failure is part of them once another step has begun: the file has caught it. Else it is what the workflow
        breaks off with, and the step is to be taken again.
        """
        uncaught = {place for place, began in self._failures.items() if began == self._place}
        return [
            {name: value for name, value in step.items() if name != "failed" or place not in uncaught}
            for place, step in enumerate(self.steps)
        ]

    def fail(self, step: Step, error: Exception) -> None:
        """A step has failed."""
        step["failed"] = f"{type(error).__name__}: {error}"
        self._failures[next(place for place, each in enumerate(self.steps) if each is step)] = self._place

    def begin(self, kind: str, **facts: str) -> Step:
        """The next step, with its outcome where it has been taken; `Diverged` when another one stands in its place."""
        place, self._place = self._place, self._place + 1
        if place >= self._recorded:
            self.steps.append({"kind": kind, **facts})
            return self.steps[place]
        step = self.steps[place]
        for name, value in {"kind": kind, **facts}.items():
            if step.get(name) != value:
                raise Diverged(f"step {place + 1} was {_named(step)}, and is now {_named({'kind': kind, **facts})}")
        if "failed" in step:
            raise StepFailed(step["failed"])
        return step

    def end(self) -> None:
        """The workflow has ended; `Diverged` when it did not come by all that the journal holds."""
        if self._place < self._recorded:
            raise Diverged(f"the workflow ended before step {self._place + 1}, {_named(self.steps[self._place])}")


def plain(value: Any) -> Any:
    """A value as JSON gives it back, so that a step's result is the same when it is taken and when it is read."""
    return orjson.loads(orjson.dumps(to_jsonable_python(value)))


def fingerprint(value: Any) -> str:
    """Equal for equal input."""
    data = orjson.dumps(to_jsonable_python(value, fallback=repr), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(data).hexdigest()[:32]


def _named(step: Step) -> str:
    return f"{step['kind']} {step['agent']!r}" if "agent" in step else str(step["kind"])
