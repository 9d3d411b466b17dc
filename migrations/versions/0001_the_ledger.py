"""The ledger

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Ticks are evidence: rows are added and never changed. Retention, when it comes, will drop whole partitions.
APPEND_ONLY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'ticks are append-only: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$
"""
TRIGGER = """
CREATE TRIGGER ticks_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ticks
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    op.create_table(
        "cold_start_samples",
        sa.Column("target", sa.String(length=512), nullable=False),
        sa.Column("replica", sa.String(length=255), nullable=False),
        sa.Column("variant", sa.String(length=63), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("target", "replica", name=op.f("pk_cold_start_samples")),
    )
    op.create_index(
        "ix_cold_start_samples_target_variant_created_at",
        "cold_start_samples",
        ["target", "variant", "created_at"],
        unique=False,
    )
    op.create_table(
        "fits",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("target", sa.String(length=512), nullable=False),
        sa.Column("fitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("forecaster", sa.String(length=64), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fits")),
    )
    op.create_index("ix_fits_target_fitted_at", "fits", ["target", "fitted_at"], unique=False)
    op.create_table(
        "forecasts",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("target", sa.String(length=512), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("horizon_s", sa.Float(), nullable=False),
        sa.Column("forecaster", sa.String(length=64), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forecasts")),
        sa.UniqueConstraint("target", "made_at", name=op.f("uq_forecasts_target_made_at")),
    )
    op.create_table(
        "targets",
        sa.Column("key", sa.String(length=512), nullable=False, comment="namespace/name"),
        sa.Column("namespace", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column(
            "body",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="the target as the custom resource last said",
        ),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, comment="when the controller last saw it"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_targets")),
    )
    op.create_table(
        "ticks",
        sa.Column(
            "sequence", sa.BigInteger(), autoincrement=True, nullable=False, comment="order of arrival: the cursor"
        ),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("group_tick_id", sa.String(length=64), nullable=False),
        sa.Column("group", sa.String(length=255), nullable=False),
        sa.Column("target", sa.String(length=512), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="the controller's clock"),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("planner_version", sa.String(length=32), nullable=False),
        sa.Column("requests_per_s", sa.Float(), nullable=True, comment="observed; NULL: not known"),
        sa.Column("planned_requests_per_s", sa.Float(), nullable=True),
        sa.Column(
            "attainment",
            sa.Float(),
            nullable=True,
            comment="share of the window's requests that met the SLO; NULL: none finished",
        ),
        sa.Column("usd_per_hour", sa.Float(), nullable=False, comment="of the replicas that existed"),
        sa.Column("applied", sa.Boolean(), nullable=False),
        sa.Column(
            "body",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="the whole tick: every input and output of the decider",
        ),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="real time",
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_ticks")),
        sa.UniqueConstraint("id", name=op.f("uq_ticks_id")),
    )
    op.create_index("ix_ticks_at", "ticks", ["at"], unique=False)
    op.create_index("ix_ticks_group_tick_id", "ticks", ["group_tick_id"], unique=False)
    op.create_index("ix_ticks_target_at", "ticks", ["target", "at", "sequence"], unique=False)
    op.create_index("ix_ticks_target_verdict_at", "ticks", ["target", "verdict", "at"], unique=False)
    op.create_table(
        "policies",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("target", sa.String(length=512), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False, comment="SHA-256 of the policy's JSON"),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["target"], ["targets.key"], name=op.f("fk_policies_target_targets"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policies")),
        sa.UniqueConstraint("target", "digest", name=op.f("uq_policies_target_digest")),
    )
    op.execute(APPEND_ONLY)
    op.execute(TRIGGER)


def downgrade() -> None:
    op.execute("DROP TRIGGER ticks_append_only ON ticks")
    op.drop_table("policies")
    op.drop_index("ix_ticks_target_verdict_at", table_name="ticks")
    op.drop_index("ix_ticks_target_at", table_name="ticks")
    op.drop_index("ix_ticks_group_tick_id", table_name="ticks")
    op.drop_index("ix_ticks_at", table_name="ticks")
    op.drop_table("ticks")
    op.drop_table("targets")
    op.drop_table("forecasts")
    op.drop_index("ix_fits_target_fitted_at", table_name="fits")
    op.drop_table("fits")
    op.drop_index("ix_cold_start_samples_target_variant_created_at", table_name="cold_start_samples")
    op.drop_table("cold_start_samples")
    op.execute("DROP FUNCTION refuse_change()")
