"""Who works at a job, and how often somebody began.

Both columns can be added to a live table: neither needs a rewrite.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "jobs",
        sa.Column(
            "claim",
            sa.Uuid(),
            nullable=True,
            comment="of the worker that plays it: whoever holds another one has lost it",
        ),
    )
    op.add_column("jobs", sa.Column("attempts", sa.Integer(), server_default="0", nullable=False))
    # The sweep looks for what is owed: a message that was sent is not in it.
    op.create_index("ix_deliveries_unsent", "deliveries", ["id"], postgresql_where=sa.text("sent_at IS NULL"))


def downgrade() -> None:
    op.drop_index("ix_deliveries_unsent", table_name="deliveries")
    op.drop_column("jobs", "attempts")
    op.drop_column("jobs", "claim")
