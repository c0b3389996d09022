"""Plain Python: an async generator over a turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatdock.workflows.titles import opening_words
from chatdock.workflows.workflow import Adapter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Emitted, Respond, Title


class FunctionAdapter(Adapter):
    """An async generator function is a workflow as it stands."""

    title: Title = staticmethod(opening_words)
    needs_model = False

    def __init__(self, function: Respond) -> None:
        self._function = function

    def respond(self, turn: Turn) -> AsyncIterator[Emitted]:
        """Call the function."""
        return self._function(turn)
