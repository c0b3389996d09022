"""Indexes by which sessions that ended are found, and the Idempotency-Keys of what goes."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Two indexes."""
    op.create_index("session_ended", "session", [sa.text("coalesce(cancelled_at, expires_at)")])
    op.create_index("idempotency_result", "idempotency", ["result_id"])
