"""Parts of cold starts

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS = {
    "scheduled_s": "from creation to a node; NULL: not told",
    "pulled_s": "from the node to the container's start",
    "loaded_s": "from the container's start to Ready",
}


def upgrade() -> None:
    for name, comment in COLUMNS.items():
        op.add_column("cold_start_samples", sa.Column(name, sa.Float(), nullable=True, comment=comment))


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_column("cold_start_samples", name)
