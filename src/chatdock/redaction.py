"""What a log line may say: what the authors of code wrote, and never what users, models, tools or clients did.

An error often quotes the value that it is about. Of its text only those parts are told that stand word for word in the
code it came through: `f"no order {number}"` reads `no order …`. The same goes for what libraries log and warn of.
`CHATDOCK_LOG_CONTENT` tells it all, secrets excepted.
"""

from __future__ import annotations

import re
import sqlite3
import sys
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, MutableMapping
    from types import CodeType, FrameType

    Event = MutableMapping[str, Any]

MAX_TEXT = 2000
"""Characters of one value, and of an error's text as far as it is looked at."""
MAX_FRAMES = 60
"""Frames of one error, and callers of one log call: the innermost are the last to be left out."""
MAX_ERRORS = 10
"""Errors that one was raised from, and those in a group."""
SHORTEST = 4
"""A part of a text that is shorter says nothing."""
HIDDEN = "…"

_SECRETS = re.compile(
    r"""\b(?:cdk_|ek_|sk-|ghp_|xox[a-z]-|AKIA)[A-Za-z0-9_\-+/=.]{6,}     # keys by their prefix
    |(?<=://)[^/\s@]+@                                                    # the credentials of an address
    |(?<=[?&])[^=\s&]+=[^\s&"']+                                           # its parameters: links are signed there
    |\b(?:bearer|basic)\s+[A-Za-z0-9_\-+/=.]{6,}                          # headers
    |\b(?:set-)?cookie["']?\s*[:=].*""",
    re.IGNORECASE | re.VERBOSE,
)
_FIELDS = re.compile(r"%(?:\(\w+\))?[#0\- +]*(?:\d+|\*)?(?:\.(?:\d+|\*))?[a-zA-Z%]")


class Content(str):
    """A value of a log line that somebody else wrote: a client, a model, a program. It is hidden as error texts are."""

    __slots__ = ()


def cause(error: BaseException, text: str | None = None) -> str:
    """An error's type, and as much of its text (or of `text`, in its place) as stands in the code it came through."""
    name = type(error).__name__
    match error:
        case sqlite3.Error():
            said = getattr(error, "sqlite_errorname", "")  # the text can name what was stored
        case OSError() if error.strerror:
            said = error.strerror  # its text names the file as well
        case _:
            codes = (frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__))
            said = written(_text(error) if text is None else text, codes)
    return f"{name}: {said}" if said else name


def written(text: str, codes: Iterable[CodeType]) -> str:
    """The parts of a text that are literals of these codes, and `…` between them; empty when there are none."""
    text = text[:MAX_TEXT]
    kept = [False] * len(text)
    for part in {part for code in codes for part in _literals(code.co_consts)}:
        if len(part) >= SHORTEST and re.search(r"\w", part):
            begin = text.find(part)
            while begin >= 0:
                kept[begin : begin + len(part)] = [True] * len(part)
                begin = text.find(part, begin + len(part))
    if not any(kept):
        return ""
    return scrub(re.sub("\0+", HIDDEN, "".join(c if k else "\0" for c, k in zip(text, kept, strict=True))))


def trace(error: BaseException) -> str:
    """An error's traceback without any text but `cause`, innermost call last, and before it what it was raised from."""
    lines: list[str] = []
    for one in reversed(list(_chain(error))):
        frames = traceback.extract_tb(one.__traceback__)[-MAX_FRAMES:]
        lines += ["Traceback (most recent call last):", *(f"  {f.filename}:{f.lineno} in {f.name}" for f in frames)]
        lines.append(cause(one))
    return "\n".join(lines)


def scrub(text: str) -> str:
    """The text, with `…` for what is formed like a key, a credential, a cookie or a signed link."""
    return _SECRETS.sub(HIDDEN, text)


class Redact:
    """The step that every line of the log passes, also those of libraries; with `content` it hides secrets alone."""

    def __init__(self, *, content: bool) -> None:
        self._content = content

    def __call__(self, _logger: Any, _method: str, event: Event) -> Event:
        """The event with everything that may not be told replaced."""
        if record := event.get("_record"):
            event["event"] = self._said(str(event["event"]), str(record.msg), event.pop("positional_args", None))
            event["logger"], event["at"] = record.name, f"{record.pathname}:{record.lineno}"
        if (error := _error_of(event.pop("exc_info", None))) is not None:
            event["exception"] = self._traced(error)
        event.pop("stack_info", None)
        for name, value in event.items():
            if not name.startswith("_"):
                event[name] = self._shown(value)
        return event

    def _said(self, message: str, template: str, values: Any) -> str:
        """What a library logs: its own words."""
        if self._content:
            return message
        codes = [frame.f_code for frame in callers()]
        if values and any(template in _literals(code.co_consts) for code in codes):
            return HIDDEN.join(_FIELDS.split(template))
        return written(template, codes) or HIDDEN

    def _traced(self, error: BaseException) -> str:
        if not self._content:
            return trace(error)
        return scrub("".join(traceback.format_exception(error, limit=MAX_FRAMES)))

    def _shown(self, value: Any) -> Any:
        match value:
            case BaseException():
                return scrub(f"{type(value).__name__}: {value}") if self._content else cause(value)
            case Content() if not self._content:
                return HIDDEN
            case str():
                return value if value.startswith("Traceback") else scrub(value[:MAX_TEXT])
            case None | bool() | int() | float():
                return value
            case _ if self._content:
                return scrub(repr(value)[:MAX_TEXT])
            case _:
                return type(value).__name__


def callers() -> Iterator[FrameType]:
    """The frames that are active now, innermost first."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(MAX_FRAMES):
        if frame is None:
            return
        yield frame
        frame = frame.f_back


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""


def _literals(constants: Iterable[Any]) -> Iterator[str]:
    for constant in constants:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, tuple | frozenset):
            yield from _literals(constant)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, those in it when it is a group, and what it was raised from; each once."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < MAX_ERRORS:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
        origin = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
        if origin is not None:
            waiting.append(origin)


def _error_of(exc_info: Any) -> BaseException | None:
    match exc_info:
        case BaseException():
            return exc_info
        case (_, BaseException() as error, _):
            return error
        case None | False | (None, None, None):
            return None
        case _:
            return sys.exc_info()[1]
