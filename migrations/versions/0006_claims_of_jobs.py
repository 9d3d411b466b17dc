"""Who works at a job and how often somebody began, and when a message is tried again

Revision ID: 0006
Revises: 0005

The columns can be added to a live table: none needs a rewrite.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
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
    op.add_column(
        "deliveries",
        sa.Column(
            "retry_at", sa.DateTime(timezone=True), nullable=True, comment="real time; NULL: at once, or never again"
        ),
    )
    # The sweep looks for what is owed: a message that was sent is not in it.
    op.create_index("ix_deliveries_unsent", "deliveries", ["id"], postgresql_where=sa.text("sent_at IS NULL"))


def downgrade() -> None:
    op.drop_index("ix_deliveries_unsent", table_name="deliveries")
    op.drop_column("deliveries", "retry_at")
    op.drop_column("jobs", "attempts")
    op.drop_column("jobs", "claim")
