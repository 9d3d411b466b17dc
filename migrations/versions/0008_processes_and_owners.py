"""Which processes there are, and for which person a token acts

Revision ID: 0008
Revises: 0006

Both can be added to a live table: the column has no default. Tokens that were made by a person act for that person from
now on; one that was made by another token acts for whom that one does, and one that nobody made for nobody but itself.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0006"
branch_labels = None
depends_on = None

OWNERS = """
WITH RECURSIVE origin AS (
    SELECT id, created_by AS owner, 0 AS depth FROM api_tokens
    UNION ALL
    SELECT origin.id, maker.created_by, depth + 1 FROM origin
    JOIN api_tokens maker ON origin.owner = 'token:' || maker.id::text
    WHERE maker.created_by <> 'system' AND depth < 100
), furthest AS (
    SELECT DISTINCT ON (id) id, owner FROM origin WHERE owner <> 'system' ORDER BY id, depth DESC
)
UPDATE api_tokens SET owner = furthest.owner FROM furthest WHERE furthest.id = api_tokens.id
"""


def upgrade() -> None:
    op.create_table(
        "processes",
        sa.Column(
            "name",
            sa.String(255),
            nullable=False,
            primary_key=True,
            comment="host and a part that no other process has",
        ),
        sa.Column("kind", sa.String(16), nullable=False, comment="Controller, Worker or Beat"),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("leads", sa.Boolean(), comment="of a controller: whether it holds the lease"),
        sa.Column("busy", sa.Integer(), comment="of a worker: tasks under way"),
        sa.Column("spooled", sa.Integer(), comment="of a controller: ticks that this database lacks"),
        sa.Column(
            "first_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="real time",
        ),
        sa.Column(
            "seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="real time"
        ),
    )
    op.add_column(
        "api_tokens",
        sa.Column(
            "owner", sa.String(512), nullable=True, comment="the person that it acts for; NULL: nobody but itself"
        ),
    )
    op.execute(OWNERS)


def downgrade() -> None:
    op.drop_column("api_tokens", "owner")
    op.drop_table("processes")
