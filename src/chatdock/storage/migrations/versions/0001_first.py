"""The first tables. Frozen: what comes later is another revision."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

RUNNING = sa.text("status = 'running'")
HIDDEN = sa.text("type IN ('hidden_context_item', 'sdk_hidden_context')")
UNFINISHED = sa.text("status IN ('queued', 'running')")


def upgrade() -> None:
    """Create them in an empty database."""
    op.create_table(
        "api_key",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("project_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("hint", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
    )
    op.create_table(
        "session",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("project_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("workflow_id", sa.Text, nullable=False),
        sa.Column("workflow_version", sa.Text),
        sa.Column("state_variables", sa.Text),
        sa.Column("tracing", sa.Integer, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("cancelled_at", sa.BigInteger),
        sa.Column("requests_per_minute", sa.Integer, nullable=False),
        sa.Column("titling", sa.Integer, nullable=False),
        sa.Column("max_file_size", sa.Integer, nullable=False),
        sa.Column("max_files", sa.Integer, nullable=False),
        sa.Column("history", sa.Integer, nullable=False),
        sa.Column("recent_threads", sa.Integer),
    )
    op.create_table(
        "thread",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("project_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("title", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("status_reason", sa.Text),
        sa.Column("allowed_image_domains", sa.Text),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("next_position", sa.Integer, nullable=False),
    )
    op.create_index("thread_of_user", "thread", ["project_id", "user_id", "created_at", "id"])
    op.create_index("thread_of_project", "thread", ["project_id", "created_at", "id"])
    op.create_index("thread_of_session", "thread", ["session_id", "created_at", "id"])
    op.create_table(
        "item",
        sa.Column("thread_id", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("item_by_id", "item", ["thread_id", "id"], unique=True)
    op.create_index("item_hidden", "item", ["thread_id", "id"], sqlite_where=HIDDEN, postgresql_where=HIDDEN)
    op.create_table(
        "run",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("thread_id", sa.Text, nullable=False),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("input", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("lease_until", sa.Float),
        sa.Column("last_sequence", sa.Integer, nullable=False),
        sa.Column("cancel_requested", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("error", sa.Text),
    )
    op.create_index("run_live", "run", ["thread_id"], unique=True, sqlite_where=RUNNING, postgresql_where=RUNNING)
    op.create_index(
        "run_unfinished", "run", ["status", "lease_until"], sqlite_where=UNFINISHED, postgresql_where=UNFINISHED
    )
    op.create_index("run_of_thread", "run", ["thread_id", "created_at"])
    op.create_index("run_ended", "run", ["ended_at"])
    op.create_table(
        "frame",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("first", sa.Integer, primary_key=True),
        sa.Column("last", sa.Integer, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "feedback",
        sa.Column("thread_id", sa.Text, primary_key=True),
        sa.Column("item_id", sa.Text, primary_key=True),
        sa.Column("project_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("feedback_of_project", "feedback", ["project_id", "created_at"])
    op.create_table(
        "idempotency",
        sa.Column("scope", sa.Text, primary_key=True),
        sa.Column("key_hash", sa.LargeBinary, primary_key=True),
        sa.Column("request_hash", sa.LargeBinary, nullable=False),
        sa.Column("result_id", sa.Text, nullable=False),
        sa.Column("salt", sa.LargeBinary),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("idempotency_age", "idempotency", ["created_at"])
