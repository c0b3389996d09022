"""The turn at hand, for what an export's module calls: parallel turns share the module, not this."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatdock.workflows.agent_builder.runner import Walk

WALK: ContextVar[Walk] = ContextVar("walk")
"""Set while a turn executes a workflow."""
INSIDE: ContextVar[bool] = ContextVar("inside", default=False)
"""Whether it is a tool or hook of an agent's run that calls: what it runs is part of that step, and not shown."""
