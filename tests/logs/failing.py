"""A server whose workflows fail with whatever they were given: each quotes it, as errors in the field do."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import warnings
from collections.abc import AsyncIterator
from typing import NoReturn

import orjson
import structlog
from chatkit.errors import CustomStreamError
from chatkit.types import ErrorEvent
from pydantic import BaseModel

from chatdock import Turn, workflow


class Arguments(BaseModel):
    """What a tool takes."""

    number: int


def fail(kind: str, text: str) -> NoReturn:
    """Raise an error that quotes a text."""
    match kind:
        case "message":
            raise ValueError(f"no order {text}")
        case "key":
            raise KeyError(text)
        case "repr":
            raise RuntimeError({"arguments": text})
        case "file":
            raise FileNotFoundError(2, "No such file or directory", text)
        case "notes":
            error = ValueError("it failed")
            error.add_note(text)
            raise error
        case "group":
            raise ExceptionGroup(f"all of {text}", [ValueError(text), KeyError(text)])
        case "exit":
            raise SystemExit(text)
        case "told":
            raise CustomStreamError(f"You wrote {text}", allow_retry=True)
        case _:
            raise AssertionError(kind)


@workflow("wf_fails")
async def fails(turn: Turn) -> AsyncIterator[str | ErrorEvent]:
    """`KIND TEXT` fails in that way."""
    kind, _, text = turn.text.partition(" ")
    yield text
    match kind:
        case "validation":
            Arguments.model_validate({"number": text})
        case "json":
            json.loads(f"[{text}")
        case "orjson":
            orjson.loads(f"[{text}")
        case "int":
            int(text)
        case "chained":
            try:
                raise ValueError(text)
            except ValueError as error:
                raise RuntimeError(f"because of {text}") from error
        case "library":
            logging.getLogger("a.library").error("It got %s and %r", text, {"cookie": text})
            logging.getLogger("a.library").error(f"It got {text}")  # noqa: G004 - as libraries do
            logging.getLogger("a.library").error("It broke", exc_info=ValueError(text))
        case "ours":
            structlog.get_logger().error("broken", error=ValueError(text), value={"text": text})
        case "warning":
            warnings.warn(f"It is odd: {text}", stacklevel=1)
        case "task":
            forgotten = asyncio.ensure_future(raising(text))
            await asyncio.sleep(0)
            del forgotten
        case "thread":
            thread = threading.Thread(target=lambda: int(text))
            thread.start()
            await asyncio.to_thread(thread.join)
        case "event":
            yield ErrorEvent(message=f"It is about {text}")
        case _:
            fail(kind, text)


async def raising(text: str) -> None:
    """Fail in a task that nobody waits for."""
    raise ValueError(text)


@fails.titler
async def titled(turn: Turn) -> str:
    """A title that cannot be made."""
    raise ValueError(f"no title for {turn.text}")


@fails.action
async def act(turn: Turn) -> AsyncIterator[str]:
    """Fail on its payload."""
    yield ""
    assert turn.action is not None
    raise ValueError(f"{turn.action.type} with {turn.action.payload}")
