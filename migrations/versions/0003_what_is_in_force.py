"""What is in force: read at every tick, however much is past

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# These tables hold what people said, thousands of rows and not millions: an index is made in milliseconds, so it is
# made in the migration's own transaction.
LIVING = (("overrides", "expires_at"), ("freezes", "ends_at"), ("catalog_overrides", "expires_at"))


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table, end in LIVING:
        op.create_index(f"ix_{table}_living", table, [end], postgresql_where=sa.text("ended_at IS NULL"))


def downgrade() -> None:
    for table, _ in LIVING:
        op.drop_index(f"ix_{table}_living", table_name=table)
