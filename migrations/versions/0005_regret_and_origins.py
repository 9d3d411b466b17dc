"""Regret of policy versions, and which targets are gone.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "policy_regrets",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("target", sa.String(length=512), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "body",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="what was recorded, and both simulations",
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["policy_versions.id"], name=op.f("fk_policy_regrets_version_id_policy_versions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_regrets")),
    )
    op.create_index(
        "ix_policy_regrets_version_id_target_made_at", "policy_regrets", ["version_id", "target", "made_at"]
    )
    op.create_index("ix_shadow_ticks_at", "shadow_ticks", ["at"])
    op.add_column(
        "targets",
        sa.Column(
            "gone_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="since when nobody names it; NULL: somebody does",
        ),
    )


def downgrade() -> None:
    op.drop_column("targets", "gone_at")
    op.drop_index("ix_shadow_ticks_at", table_name="shadow_ticks")
    op.drop_index("ix_policy_regrets_version_id_target_made_at", table_name="policy_regrets")
    op.drop_table("policy_regrets")
