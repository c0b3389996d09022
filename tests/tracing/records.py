"""What is stored of traces, as tests look at it: with a connection of their own."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from tests.harness.client import Json
from tests.harness.server import eventually


class Records:
    """The traces in the database of a server that runs in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "chatdock.db"

    def rows(self, table: str) -> list[Json]:
        """Every row of a table."""
        connection = sqlite3.connect(self._path)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY started_at")]
        finally:
            connection.close()

    def trace(self, run_id: str) -> Json:
        """The trace of a run that has ended."""

        def ended() -> list[Json]:
            return [row for row in self.rows("trace") if row["run_id"] == run_id and row["ended_at"] is not None]

        (trace,) = eventually(ended, what="the trace's end")
        return trace

    def spans(self, run_id: str) -> list[Json]:
        """The spans of a run that has ended, in the order in which they began; attributes as a dict."""
        trace = self.trace(run_id)

        def found() -> list[Json]:
            return [row for row in self.rows("span") if row["trace_id"] == trace["id"]]

        eventually(lambda: all(row["ended_at"] for row in found()), what="the spans' end")
        return [{**span, "attributes": json.loads(span["attributes"])} for span in found()]

    def tree(self, run_id: str) -> list[str]:
        """The names of a run's spans, each behind as many dots as it has spans above it."""
        spans = self.spans(run_id)
        by_id = {span["id"]: span for span in spans}
        below: dict[str | None, list[Json]] = {}
        for span in spans:
            assert span["parent_id"] is None or span["parent_id"] in by_id, "a parent is missing"
            below.setdefault(span["parent_id"], []).append(span)

        def branch(parent: str | None, depth: int) -> list[str]:
            lines: list[str] = []
            for span in below.get(parent, []):
                lines += ["." * depth + str(span["name"]), *branch(span["id"], depth + 1)]
            return lines

        return branch(None, 0)
