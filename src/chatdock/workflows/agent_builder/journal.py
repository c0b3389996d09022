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
    from chatdock.workflows.agents_sdk.pause import Pause

Step = dict[str, Any]
OUTCOMES = {"output", "approved", "results", "found", "failed", "waits"}
"""Members of a step that has been taken, or waits."""


class Suspended(BaseException):
    """The workflow waits for the user. No `Exception`: files catch those, to "continue on error"."""

    def __init__(self, pause: Pause) -> None:
        super().__init__("the workflow waits for the user")
        self.pause = pause


class Diverged(BaseException):
    """The workflow, executed again, does not come by where it was: going on would mix two different runs."""


class StepFailed(Exception):
    """A step had failed when it was taken, and the file had caught that: it fails again."""


class Journal:
    """Steps in the order in which the workflow began them, each with its outcome once it has one; JSON values."""

    def __init__(self, steps: list[Step] | None = None) -> None:
        self._steps: list[Step] = list(steps or ())
        self._recorded = len(self._steps)
        self._place = 0

    def begin(self, kind: str, **facts: str) -> tuple[Step, bool]:
        """The next step, and whether its outcome is known already; `Diverged` when another one stands in its place."""
        place, self._place = self._place, self._place + 1
        if place >= self._recorded:
            step: Step = {"kind": kind, **facts}
            self._steps.append(step)
            return step, False
        step = self._steps[place]
        for name, value in {"kind": kind, **facts}.items():
            if step.get(name) != value:
                raise Diverged(f"step {place + 1} was {_named(step)}, and is now {_named({'kind': kind, **facts})}")
        if "failed" in step:
            raise StepFailed(step["failed"])
        return step, not OUTCOMES.isdisjoint(step)

    def end(self) -> None:
        """The workflow has ended; `Diverged` when it did not come by all that the journal holds."""
        if self._place < self._recorded:
            raise Diverged(f"the workflow ended before step {self._place + 1}, {_named(self._steps[self._place])}")

    @property
    def waiting(self) -> Step:
        """The step that waits for the user: the last one."""
        return self._steps[-1]

    def stored(self) -> list[Step]:
        """The steps to keep, up to the one that waits; what was begun beside it and has no outcome is taken anew."""
        waits = next(place for place, step in enumerate(self._steps) if step.get("waits"))
        return self._steps[: waits + 1]


def plain(value: Any) -> Any:
    """A value as JSON gives it back, so that a step's result is the same when it is taken and when it is read."""
    return orjson.loads(orjson.dumps(to_jsonable_python(value)))


def fingerprint(value: Any) -> str:
    """Equal for equal input."""
    data = orjson.dumps(to_jsonable_python(value, fallback=repr), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(data).hexdigest()[:32]


def _named(step: Step) -> str:
    return f"{step['kind']} {step['agent']!r}" if "agent" in step else str(step["kind"])
