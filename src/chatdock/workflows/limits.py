"""What ends a run that does too much."""

from __future__ import annotations


class LimitReached(Exception):
    """A run reached one of its limits: it ends as failed, and its user reads the message.

    `limit` names it in the log and in `chatdock_limits_reached`: `time`, `output`, `tool_calls`, `model_calls`.
    """

    def __init__(self, limit: str, message: str) -> None:
        super().__init__(message)
        self.limit = limit
