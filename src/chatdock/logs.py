"""Logging: lines for people on a terminal, JSON elsewhere. What they may say, `redaction` decides."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import warnings
from typing import TYPE_CHECKING, TextIO, cast

import structlog

from chatdock.errors import ApiError
from chatdock.redaction import Redact, callers, written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import ExceptHookArgs

log = structlog.get_logger("chatdock.process")


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
def going_on(log: structlog.typing.FilteringBoundLogger, event: str, **about: str) -> Iterator[None]:
    """Log what goes wrong in a round of housekeeping: the next one tries again, whatever it was."""
    try:
        yield
    except ApiError as error:
        log.warning(event, error=error, **about)
    except Exception:
        log.exception(event, **about)


def configure(*, content: bool = False) -> None:
    """Set up structlog, and let the standard library's loggers speak the same way.

    `content`: tell also what users, models and tools wrote, where an error or a library quotes it.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        Redact(content=content),
    ]
    output = _StandardError()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, renderer],
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", output)),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[*shared, structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            pass_foreign_args=True,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


def take_over(*, content: bool = False) -> None:
    """Let warnings, and threads that fail, be logged: this process is a server. Call `configure` before."""

    def warn(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        text = str(message) if content else written(str(message), [frame.f_code for frame in callers()])
        log.warning("warning", category=category.__name__, at=f"{filename}:{lineno}", said=text)

    def thread_failed(failed: ExceptHookArgs) -> None:
        log.error("thread_failed", thread=failed.thread and failed.thread.name, exc_info=failed.exc_value)

    warnings.showwarning = warn
    threading.excepthook = thread_failed
