"""Hears an error that an endpoint writes into a stream, but not as an event: `openai` (2.x) overlooks it.

Some servers (vLLM, llama.cpp) send bare JSON, or a field `error`. Every library that asks with `openai` profits.
"""

from __future__ import annotations

import sys
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

HEARD = "_chatdock_heard"


def hear_errors() -> None:
    """Do so from now on, in this process; nothing is done where `openai` is not in use."""
    if "openai" not in sys.modules:
        return
    from openai._streaming import SSEDecoder

    if not hasattr(SSEDecoder.decode, HEARD):
        SSEDecoder.decode = _hearing(SSEDecoder.decode)  # type: ignore[method-assign]


def _hearing(decode: Callable[..., Any]) -> Callable[..., Any]:
    from openai._streaming import ServerSentEvent

    @wraps(decode)
    def decoded(self: Any, line: str) -> ServerSentEvent | None:
        bare = line.removeprefix("error:").lstrip()
        if bare.startswith("{"):
            if '"error"' in bare:
                return ServerSentEvent(data=bare)
            if line.startswith("error:"):
                return ServerSentEvent(data=f'{{"error": {bare}}}')
        event: ServerSentEvent | None = decode(self, line)
        return event

    setattr(decoded, HEARD, True)
    return decoded
