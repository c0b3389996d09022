"""The trace of one turn, and the spans inside it.

Spans come from three sides, each with its own idea of which is the current one: `turn.span()`, the Agents SDK and
OpenTelemetry. The sides are asked in turn, and a new span stands under the innermost: the one that began last.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import Any, Protocol, TypedDict, Unpack

from chatdock.storage.times import Clock
from chatdock.storage.traces import trace_id
from chatdock.tracing import attributes as words

MAX_SPANS = 1_000
"""How many spans one turn may have; those beyond it are counted, not kept."""
MAX_CONTENT_OF_TURN = 1_048_576
"""How many characters of content one turn may keep."""

_TRACE: ContextVar[Trace | None] = ContextVar("chatdock_trace", default=None)
_SPAN: ContextVar[Span | None] = ContextVar("chatdock_span", default=None)


def current() -> Trace | None:
    """The trace of the turn that is executed here; None when it has none, and outside of turns."""
    return _TRACE.get()


def enter(trace: Trace | None) -> None:
    """From here on, this task and what it starts belong to this trace, or to none."""
    for side in list(SIDES.values()):
        side.enter(trace)


def _enter(trace: Trace | None) -> None:
    _TRACE.set(trace)
    _SPAN.set(None)


@dataclass(slots=True, frozen=True)
class Side:
    """One that makes spans: how to ask for the span that it takes for the current one, and what it does in `enter`."""

    find: Callable[[], Span | None]
    enter: Callable[[Trace | None], None]


SIDES: dict[str, Side] = {"chatdock": Side(_SPAN.get, _enter)}
"""Those that are in use, by name."""


@dataclass(slots=True, weakref_slot=True, kw_only=True, eq=False)
class Span:
    """A part of a turn that takes time. Times are microseconds since 1970."""

    trace: Trace = field(repr=False)
    id: str
    parent: Span | None
    kind: str
    name: str
    started_at: int
    order: int
    ended_at: int | None = None
    error: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    input_tokens: int | None = None
    output_tokens: int | None = None

    def end(self, *, at: int | None = None) -> None:
        """It is over, now or at a time; the first end counts."""
        if self.ended_at is None:
            self.ended_at = max(at or self.trace.sink.clock.micros(), self.started_at + 1)
            self.trace.sink.ended(self)
            if self.kind == "model":
                self.trace.sink.changed(self.trace)

    def ancestors(self) -> Iterator[Span]:
        """From its parent upwards."""
        parent = self.parent
        while parent is not None:
            yield parent
            parent = parent.parent

    def counts(self) -> bool:
        """Whether its tokens are part of the turn's: those of a model call that no other span reports already."""
        return self.kind == "model" and not any(above.kind == "model" for above in self.ancestors())

    def columns(self) -> dict[str, Any]:
        """As it is stored, but for the attributes, which are JSON there."""
        return {
            "trace_id": self.trace.id,
            "id": self.id,
            "parent_id": self.parent.id if self.parent else None,
            "kind": self.kind,
            "name": self.name,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "error": self.error,
            "attributes": self.attributes,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
        }


class Whose(TypedDict):
    """Which turn a trace is that of."""

    run_id: str
    thread_id: str
    project_id: str
    user_id: str
    workflow_id: str
    workflow_version: str | None


class Sink(Protocol):
    """Who is told of traces and spans, in whatever thread."""

    clock: Clock

    def changed(self, record: Trace | Span) -> None:
        """It is new, or other than before."""
        ...

    def ended(self, record: Trace | Span) -> None:
        """It is over."""
        ...


class Trace:
    """One turn that is traced: its record, and the spans that it had so far."""

    def __init__(self, sink: Sink, *, content: bool, **whose: Unpack[Whose]) -> None:
        self.id = trace_id(whose["run_id"])
        self.whose = whose
        self.content = content
        """Whether texts that users, models and tools wrote are kept."""
        self.sink = sink
        self.started_at = sink.clock.micros()
        self.first_text_at: int | None = None
        self.ended_at: int | None = None
        self.outcome: str | None = None
        self.error: str | None = None
        self.spans: list[Span] = []
        self.dropped = 0
        self._content_left = MAX_CONTENT_OF_TURN
        self._order = itertools.count()
        sink.changed(self)

    @property
    def root_id(self) -> str:
        """The id of the turn's own span."""
        return self.id[16:]

    def begin(
        self,
        kind: str,
        name: str,
        *,
        source: str = "chatdock",
        id: str | None = None,  # noqa: A002 - what it is
        parent: Span | None = None,
        at: int | None = None,
    ) -> Span | None:
        """A new span under the innermost of those that are open here; None when the turn has too many.

        `source` is the side that it comes from, and `parent` what that side takes for its parent.
        """
        if len(self.spans) >= MAX_SPANS:
            self.dropped += 1
            self.sink.changed(self)
            return None
        sides = list(SIDES.items())
        candidates = [parent if name == source and parent else side.find() for name, side in sides]
        above = [span for span in candidates if span is not None and span.trace is self]
        span = Span(
            trace=self,
            id=id or os.urandom(8).hex(),
            parent=max(above, key=lambda span: span.order, default=None),
            kind=kind,
            name=words.clip(name, words.MAX_NAME),
            started_at=at or self.sink.clock.micros(),
            order=next(self._order),
        )
        self.spans.append(span)
        self.sink.changed(span)
        return span

    def said_text(self) -> None:
        """The turn says something; its first text counts."""
        if self.first_text_at is None:
            self.first_text_at = self.sink.clock.micros()
            self.sink.changed(self)

    def failed(self, error: BaseException) -> None:
        """The workflow raised this; what it was raised from says more."""
        self.error = self.worded(error.__cause__ or error)

    def end(self, outcome: str, stopped: str | None = None) -> None:
        """The turn has ended; `stopped` is why, when its workflow did not end by itself."""
        self.outcome, self.error = outcome, self.error or stopped
        self.ended_at = max(self.sink.clock.micros(), self.started_at + 1)
        self.sink.ended(self)

    def worded(self, error: BaseException) -> str:
        """An error as it may be kept: its type, and what it says when content is."""
        if not self.content:
            return type(error).__name__
        return words.clip("".join(traceback.format_exception_only(error)).strip(), words.MAX_TEXT)

    def describe(self, span: Span, said: Mapping[str, Any], *, explicit: bool = False) -> None:
        """Give a span its attributes as they may be kept, and the kind and the tokens that they tell of.

        `explicit` are those that the workflow's author wrote, in contrast to what a library reports.
        """
        content = self.content and self._content_left > 0
        keep = words.explicit if explicit else words.reported
        span.attributes = keep(said, content=content)
        if content:
            self._content_left -= sum(len(value) for value in span.attributes.values() if isinstance(value, str))
        kind = words.kind_of(said)
        span.kind = span.kind if kind == "span" else kind
        span.input_tokens, span.output_tokens = words.tokens_of(said)

    def columns(self) -> dict[str, Any]:
        """As it is stored."""
        counted = [span for span in self.spans if span.counts()]
        return {
            "id": self.id,
            **self.whose,
            "started_at": self.started_at,
            "first_text_at": self.first_text_at,
            "ended_at": self.ended_at,
            "outcome": self.outcome,
            "error": self.error,
            "input_tokens": sum(span.input_tokens or 0 for span in counted),
            "output_tokens": sum(span.output_tokens or 0 for span in counted),
            "dropped_spans": self.dropped,
        }


class Measured:
    """What `turn.span()` returns: a span from the beginning of a `with` block to its end."""

    def __init__(self, trace: Trace | None, name: str, attributes: Mapping[str, Any]) -> None:
        self._trace = trace
        self._name = name
        self._attributes = dict(attributes)
        self._span: Span | None = None
        self._token: Token[Span | None] | None = None

    def set(self, **attributes: Any) -> None:
        """Say more about it, at the latest inside the block."""
        self._attributes |= attributes

    def __enter__(self) -> Measured:
        if self._trace is not None:
            self._span = self._trace.begin("span", self._name)
            self._token = _SPAN.set(self._span)
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if self._token is not None:
            with contextlib.suppress(ValueError):  # a generator that was let go of is closed in another context
                _SPAN.reset(self._token)
        span = self._span
        if span is None or self._trace is None:
            return
        if error is not None and not isinstance(error, GeneratorExit):
            span.error = self._trace.worded(error)
        self._trace.describe(span, self._attributes, explicit=True)
        span.end()

    async def __aenter__(self) -> Measured:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self.__exit__(kind, error, traceback)
