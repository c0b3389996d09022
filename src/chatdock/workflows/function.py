"""Plain Python: an async generator over a turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatdock.workflows.titles import opening_words

if TYPE_CHECKING:
    from chatdock.workflows.workflow import Respond, Title


class FunctionAdapter:
    """An async generator function is a workflow as it stands."""

    title: Title = staticmethod(opening_words)
    needs_model = False

    def __init__(self, function: Respond) -> None:
        self.respond = function

    def performs(self, others: Respond | None) -> Respond | None:
        """The author's handler alone."""
        return others
