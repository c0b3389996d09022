"""Runs know whose they are, so that the unfinished ones of a user and of a project can be counted."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

UNFINISHED = sa.text("status IN ('queued', 'running')")


def upgrade() -> None:
    """Two columns, filled from the runs' threads, and an index over what is unfinished."""
    op.add_column("run", sa.Column("project_id", sa.Text))
    op.add_column("run", sa.Column("user_id", sa.Text))
    op.execute(
        "UPDATE run SET project_id = (SELECT project_id FROM thread WHERE thread.id = run.thread_id), "
        "user_id = (SELECT user_id FROM thread WHERE thread.id = run.thread_id)"
    )
    op.create_index(
        "run_of_user", "run", ["project_id", "user_id", "status"], sqlite_where=UNFINISHED, postgresql_where=UNFINISHED
    )
