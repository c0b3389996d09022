"""When an agent cannot answer: a sentence for the user, the cause for the operator.

The log gets status, code and request id, not the error's own text: providers put keys and prompts there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import openai
import structlog
from agents.exceptions import AgentsException, MaxTurnsExceeded, ModelTimeoutError, UserError
from chatkit.errors import BaseStreamError, CustomStreamError

from chatdock.workflows.agents_sdk.model_answers import NoAnswer
from chatdock.workflows.limits import LimitReached
from chatdock.workflows.wording import MODEL_FAILED, NO_ANSWER

if TYPE_CHECKING:
    from chatdock.workflows.turn import Turn

log = structlog.get_logger("chatdock.workflows")

FAILED = MODEL_FAILED
BUSY = "The model is busy. Please try again in a moment."
SLOW = "The model took too long to answer. Please try again."
UNREACHABLE = "The model could not be reached. Please try again in a moment."
BROKE_OFF = "The answer broke off. Please try again."
UNAVAILABLE = "The model is not available at the moment. Please try again later."
TOO_LONG = "This conversation is too long for the model. Please start a new one."
TOO_MANY_STEPS = "The answer took more steps than this assistant may take."

MODEL_ERRORS = (openai.OpenAIError, AgentsException)
"""What a failing model raises."""

_LONG_CODES = {"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"}
_LONG_WORDS = ("context length", "context size", "context window", "maximum context")


def failure(turn: Turn, error: Exception) -> Exception:
    """What to raise for an error of `MODEL_ERRORS`; the operator is told here."""
    if isinstance(error, UserError):
        # The author's own mistake, or what one of their tools raised: the turn fails as any workflow's would.
        return error.__cause__ if isinstance(error.__cause__, BaseStreamError) else error
    if isinstance(error, MaxTurnsExceeded):
        return LimitReached("model_calls", TOO_MANY_STEPS)
    message, allow_retry = _sentence(error)
    cause = error.__cause__
    facts = {
        "status": getattr(error, "status_code", None),
        "code": getattr(error, "code", None),
        "request_id": getattr(error, "request_id", None),
        "retry_after": _retry_after(error),
        "host": _host(error),
        "reason": error.reason if isinstance(error, NoAnswer) else None,
        "cause": None if cause is None else type(cause).__name__,
    }
    log.error(
        "model_failed",
        workflow=turn.workflow_id,
        thread=turn.thread.id,
        error=type(error).__name__,
        **{name: value for name, value in facts.items() if value is not None},
    )
    return CustomStreamError(message, allow_retry=allow_retry)


def _sentence(error: Exception) -> tuple[str, bool]:
    """What the user reads, and whether a retry makes sense."""
    match error:
        case NoAnswer():
            return NO_ANSWER, True
        case openai.APITimeoutError() | ModelTimeoutError():
            return SLOW, True
        case openai.APIConnectionError():
            # By its name: which HTTP library `openai` uses depends on its version.
            return (UNREACHABLE if type(error.__cause__).__name__ == "ConnectError" else BROKE_OFF), True
        case openai.RateLimitError() if error.code != "insufficient_quota":
            return BUSY, True
        case openai.InternalServerError(status_code=503 | 529):
            return BUSY, True
        case openai.APIError() if _too_long(error):
            return TOO_LONG, False
        case openai.APIStatusError(status_code=401 | 402 | 403 | 404 | 429):
            return UNAVAILABLE, True
        case _:
            return FAILED, True


def _too_long(error: openai.APIError) -> bool:
    return (
        error.code in _LONG_CODES or error.type in _LONG_CODES or any(w in error.message.lower() for w in _LONG_WORDS)
    )


def _retry_after(error: Exception) -> str | None:
    return error.response.headers.get("retry-after") if isinstance(error, openai.APIStatusError) else None


def _host(error: Exception) -> str | None:
    return error.request.url.host if isinstance(error, openai.APIError) else None
