"""How far each thread of hosted ChatKit has been read."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """One table."""
    op.create_table(
        "imported_thread",
        sa.Column("thread_id", sa.Text, primary_key=True),
        sa.Column("project_id", sa.Text, nullable=False),
        sa.Column("last_item_id", sa.Text),
        sa.Column("next_position", sa.Integer, nullable=False),
        sa.Column("stored", sa.Integer, nullable=False),
        sa.Column("read_at", sa.BigInteger),
        sa.Column("left_out", sa.Text, nullable=False),
    )
