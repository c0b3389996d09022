"""The tables. Times are microseconds since 1970 in UTC, except leases, which are seconds on the database's own clock.

JSON is kept as text that is never queried into, so that it goes out as it came in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    func,
    literal_column,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement

from chatdock.protocol.kinds import HIDDEN_TYPES

metadata = MetaData()

HIDDEN = f"type IN ({', '.join(repr(kind) for kind in sorted(HIDDEN_TYPES))})"

api_key = Table(
    "api_key",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("hint", Text, nullable=False),  # the first and last characters, to tell keys apart
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)

session = Table(
    "session",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("workflow_id", Text, nullable=False),
    Column("workflow_version", Text),
    Column("state_variables", Text),  # JSON object
    Column("tracing", Integer, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("cancelled_at", BigInteger),
    Column("requests_per_minute", Integer, nullable=False),
    Column("titling", Integer, nullable=False),
    Column("max_file_size", Integer, nullable=False),  # megabytes
    Column("max_files", Integer, nullable=False),
    Column("history", Integer, nullable=False),
    Column("recent_threads", Integer),
)
Index("session_ended", func.coalesce(session.c.cancelled_at, session.c.expires_at))

thread = Table(
    "thread",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("session_id", Text, nullable=False),  # the one that created it; empty when none did here
    Column("created_at", BigInteger, nullable=False),
    Column("title", Text),
    Column("status", Text, nullable=False),  # active, locked, closed
    Column("status_reason", Text),
    Column("allowed_image_domains", Text),  # JSON array
    Column("metadata", Text, nullable=False),  # JSON object, never shown to clients
    Column("state", Text, nullable=False),  # JSON object that workflows keep, never shown to clients
    Column("next_position", Integer, nullable=False),
    Index("thread_of_user", "project_id", "user_id", "created_at", "id"),
    Index("thread_of_project", "project_id", "created_at", "id"),
    Index("thread_of_session", "session_id", "created_at", "id"),
)

item = Table(
    "item",
    metadata,
    Column("thread_id", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("data", Text, nullable=False),  # the wire item, JSON
    Index("item_by_id", "thread_id", "id", unique=True),
    Index("item_hidden", "thread_id", "id", sqlite_where=text(HIDDEN), postgresql_where=text(HIDDEN)),
    sqlite_with_rowid=False,
)

run = Table(
    "run",
    metadata,
    Column("id", Text, primary_key=True),
    Column("thread_id", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("input", Text, nullable=False),  # what the turn answers, JSON
    Column("status", Text, nullable=False),  # queued, running, waiting, completed, failed, cancelled
    Column("owner", Text),
    Column("fence", Integer, nullable=False),
    Column("lease_until", Float),
    Column("last_sequence", Integer, nullable=False),  # as accepted, then as ended; between these, the frames know
    Column("cancel_requested", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("error", Text),  # for the operator
    Column("project_id", Text),  # the thread's, as is the next; both are always set
    Column("user_id", Text),
    # One live run per thread: the database's rule, not the code's.
    Index(
        "run_live",
        "thread_id",
        unique=True,
        sqlite_where=text("status = 'running'"),
        postgresql_where=text("status = 'running'"),
    ),
    Index(
        "run_unfinished",
        "status",
        "lease_until",
        sqlite_where=text("status IN ('queued', 'running')"),
        postgresql_where=text("status IN ('queued', 'running')"),
    ),
    Index(
        "run_of_user",
        "project_id",
        "user_id",
        "status",
        sqlite_where=text("status IN ('queued', 'running')"),
        postgresql_where=text("status IN ('queued', 'running')"),
    ),
    Index("run_of_thread", "thread_id", "created_at"),
    Index("run_ended", "ended_at"),
)

frame = Table(
    "frame",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("first", Integer, primary_key=True),
    Column("last", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),  # finished SSE frames `first`..`last`
    sqlite_with_rowid=False,
)

attachment = Table(
    "attachment",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("thread_id", Text),  # once a message has it
    Column("data", Text, nullable=False),  # the attachment without its upload descriptor, JSON
    Column("upload", Text),  # the upload descriptor until the bytes are there, JSON
    Column("created_at", BigInteger, nullable=False),
    Index("attachment_of_thread", "thread_id", "created_at"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("thread_id", Text, primary_key=True),
    Column("item_id", Text, primary_key=True),
    Column("project_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("kind", Text, nullable=False),  # positive, negative
    Column("created_at", BigInteger, nullable=False),
    Index("feedback_of_project", "project_id", "created_at"),
)

trace = Table(
    "trace",
    metadata,
    Column("id", Text, primary_key=True),  # as OpenTelemetry writes it: 32 hex digits, out of the run's id
    Column("run_id", Text, nullable=False),
    Column("thread_id", Text, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("workflow_id", Text, nullable=False),
    Column("workflow_version", Text),
    Column("started_at", BigInteger, nullable=False),
    Column("first_text_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("outcome", Text),  # completed, waiting, failed, cancelled, lost; none until the turn has ended
    Column("error", Text),
    Column("input_tokens", BigInteger, nullable=False),  # of all its model calls
    Column("output_tokens", BigInteger, nullable=False),
    Column("dropped_spans", Integer, nullable=False),  # beyond what one turn may have
    Index("trace_age", "started_at"),
    Index("trace_of_thread", "thread_id", "started_at"),
)

span = Table(
    "span",
    metadata,
    Column("trace_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),  # 16 hex digits
    Column("parent_id", Text),  # none: right under the turn
    Column("kind", Text, nullable=False),  # agent, model, tool, handoff, guardrail, mcp, span
    Column("name", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("error", Text),
    Column("attributes", Text, nullable=False),  # JSON object
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    sqlite_with_rowid=False,
)

imported_thread = Table(
    "imported_thread",
    metadata,
    Column("thread_id", Text, primary_key=True),
    Column("project_id", Text, nullable=False),
    Column("last_item_id", Text),  # the newest hosted item that was read
    Column("next_position", Integer, nullable=False),  # the thread's, as the import left it
    Column("stored", Integer, nullable=False),  # whether the thread was read to its end once, and can be seen
    Column("read_at", BigInteger),  # when it was read to its end; none once all of the project's threads were
    Column("left_out", Text, nullable=False),  # JSON object: what could not be carried over, by kind, how often
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("scope", Text, primary_key=True),  # project, user and route
    Column("key_hash", LargeBinary, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("result_id", Text, nullable=False),
    Column("salt", LargeBinary),
    Column("created_at", BigInteger, nullable=False),
    Index("idempotency_age", "created_at"),
    Index("idempotency_result", "result_id"),
)


def words(values: Iterable[str]) -> list[Any]:
    """Constants for an `IN` list, written into the statement, since a list cannot be bound once and for all."""
    return [literal_column(f"'{value}'") for value in sorted(values)]


class database_now(FunctionElement[float]):  # noqa: N801 - reads as the SQL function it is
    """The database's clock, in seconds since 1970."""

    inherit_cache = True
    type = Float()


@compiles(database_now, "sqlite")
def _now_sqlite(_element: database_now, _compiler: Any, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(database_now, "postgresql")
def _now_postgresql(_element: database_now, _compiler: Any, **_: Any) -> str:
    return "extract(epoch from clock_timestamp())"
