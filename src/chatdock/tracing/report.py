"""Traces as lines to read: a list of turns, and a turn's spans as a tree."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from chatdock.tracing.attributes import CACHED_TOKENS, REASONING_TOKENS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from chatdock.storage.database import Row


def listed(trace: Row) -> str:
    """A turn in one line: time, duration, workflow, outcome, input and output tokens, run, thread."""
    cells = [
        _time(trace["started_at"]),
        _duration(trace),
        _workflow(trace),
        _outcome(trace),
        str(trace["input_tokens"]),
        str(trace["output_tokens"]),
        trace["run_id"],
        trace["thread_id"],
    ]
    return "\t".join(cells)


def shown(trace: Row, spans: Sequence[Row]) -> list[str]:
    """A turn and its spans as a tree: duration, name, tokens, error."""
    about = [f"thread {trace['thread_id']}", f"user {trace['user_id']}", _time(trace["started_at"])]
    if trace["first_text_at"] is not None:
        about.append(f"first text after {_seconds(trace['first_text_at'] - trace['started_at'])}")
    if trace["dropped_spans"]:
        about.append(f"{trace['dropped_spans']} spans more than are kept")
    head = [f"run {trace['run_id']}", _workflow(trace), _outcome(trace), _duration(trace)]
    head += _tokens(trace, {}) + _error(trace)
    return ["  ".join(head), "  ".join(about), *_tree(spans)]


def _tree(spans: Sequence[Row]) -> Iterator[str]:
    """A span whose parent was never stored stands right under the turn."""
    known = {span["id"] for span in spans}
    below: defaultdict[str | None, list[Row]] = defaultdict(list)
    for span in spans:
        below[span["parent_id"] if span["parent_id"] in known else None].append(span)

    def branch(children: Iterable[Row], indent: str) -> Iterator[str]:
        rows = list(children)
        for span in rows:
            last = span is rows[-1]
            cells = [f"{indent}{'└─' if last else '├─'} {span['name']}", _duration(span)]
            cells += _tokens(span, orjson.loads(span["attributes"])) + _error(span)
            yield "  ".join(cells)
            yield from branch(below[span["id"]], f"{indent}{'  ' if last else '│ '} ")

    return branch(below[None], "")


def _workflow(trace: Row) -> str:
    version = trace["workflow_version"]
    return str(trace["workflow_id"]) if version is None else f"{trace['workflow_id']} {version}"


def _outcome(trace: Row) -> str:
    """A turn without an end runs, or its server died."""
    if trace["outcome"] is not None:
        return str(trace["outcome"])
    return "running" if trace["live"] else "unfinished"


def _tokens(record: Row, attributes: dict[str, Any]) -> list[str]:
    if not record["input_tokens"] and not record["output_tokens"]:
        return []
    named = ((CACHED_TOKENS, "cached"), (REASONING_TOKENS, "reasoning"))
    parts = [f"{attributes[name]} {word}" for name, word in named if name in attributes]
    told = f"{record['input_tokens'] or 0} → {record['output_tokens'] or 0} tokens"
    return [f"{told} ({', '.join(parts)})" if parts else told]


def _error(record: Row) -> list[str]:
    return [] if record["error"] is None else [f"! {record['error']}"]


def _duration(record: Row) -> str:
    return "-" if record["ended_at"] is None else _seconds(record["ended_at"] - record["started_at"])


def _seconds(micros: int) -> str:
    return f"{micros / 1_000_000:.2f} s" if micros >= 1_000_000 else f"{micros / 1_000:.1f} ms"


def _time(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1_000_000, UTC).isoformat(timespec="seconds")
