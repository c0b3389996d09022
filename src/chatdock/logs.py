"""Logging: lines for people on a terminal, JSON elsewhere. No keys, secrets or message texts are ever logged."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import TextIO, cast

import structlog

from chatdock.errors import ApiError


class _StandardError:
    """stderr, except that a disk too full for a log line does not stop what was logged about."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()


@contextlib.contextmanager
def going_on(log: structlog.typing.FilteringBoundLogger, event: str) -> Iterator[None]:
    """Log what goes wrong in a round of housekeeping: the next one tries again, whatever it was."""
    try:
        yield
    except ApiError as error:
        log.warning(event, error=error.message)
    except Exception:
        log.exception(event)


def configure() -> None:
    """Set up structlog, and let the standard library's loggers speak the same way."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    output = _StandardError()
    terminal = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if terminal
        else structlog.processors.JSONRenderer()
    )
    errors: list[structlog.typing.Processor] = [] if terminal else [structlog.processors.format_exc_info]
    structlog.configure(
        processors=[*shared, *errors, renderer],
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", output)),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shared, *errors, renderer]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
