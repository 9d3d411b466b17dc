"""What the controller and the workers record."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    String,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from controlplane.store.tables.metadata import metadata

targets = Table(
    "targets",
    metadata,
    Column("key", String(512), primary_key=True, comment="namespace/name"),
    Column("namespace", String(255), nullable=False),
    Column("name", String(255), nullable=False),
    Column("body", JSONB, nullable=False, comment="the target as the custom resource last said"),
    Column("seen_at", DateTime(timezone=True), nullable=False, comment="when the controller last saw it"),
    Column("gone_at", DateTime(timezone=True), comment="since when nobody names it; NULL: somebody does"),
)

policies = Table(
    "policies",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("target", String(512), ForeignKey("targets.key", ondelete="CASCADE"), nullable=False),
    Column("digest", String(64), nullable=False, comment="SHA-256 of the policy's JSON"),
    Column("body", JSONB, nullable=False),
    Column("first_seen_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("target", "digest"),
)

# Versions before 0009 kept every forecast here too; it is in its tick. What they kept goes with retention.
forecasts = Table(
    "forecasts",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("target", String(512), nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("horizon_s", Float, nullable=False),
    Column("forecaster", String(64), nullable=False),
    Column("body", JSONB, nullable=False),
    UniqueConstraint("target", "made_at"),
)

cold_start_samples = Table(
    "cold_start_samples",
    metadata,
    Column("target", String(512), primary_key=True),
    Column("replica", String(255), primary_key=True),
    Column("variant", String(63), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("seconds", Float, nullable=False),
    Column("scheduled_s", Float, comment="from creation to a node; NULL: not told"),
    Column("pulled_s", Float, comment="from the node to the container's start"),
    Column("loaded_s", Float, comment="from the container's start to Ready"),
    Index("ix_cold_start_samples_target_variant_created_at", "target", "variant", "created_at"),
)

fits = Table(
    "fits",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("target", String(512), nullable=False),
    Column("fitted_at", DateTime(timezone=True), nullable=False),
    Column("forecaster", String(64), nullable=False),
    Column("body", JSONB, nullable=False),
    Index("ix_fits_target_fitted_at", "target", "fitted_at"),
)

rollups = Table(
    "rollups",
    metadata,
    Column("target", String(512), primary_key=True),
    Column("variant", String(63), primary_key=True, comment="empty: the whole target"),
    Column("at", DateTime(timezone=True), primary_key=True, comment="start of the hour, UTC"),
    Column("seconds", Float, nullable=False, comment="of the hour that ticks speak for"),
    Column("requests", Float, nullable=False, comment="that came; rates over time"),
    Column("known", Float, nullable=False, comment="of these, those whose attainment is known"),
    Column("met", Float, nullable=False, comment="of `known`, those that met the SLO"),
    Column("tokens", Float, nullable=False, comment="of prompts and answers"),
    Column("replica_seconds", Float, nullable=False, comment="of a variant"),
    Column("gpu_seconds", Float, nullable=False, comment="of a variant"),
    Column("usd", Numeric(18, 6), nullable=False),
    Column("holds", Integer, nullable=False, comment="ticks by verdict; of a variant, by what was decided for it"),
    Column("ups", Integer, nullable=False),
    Column("downs", Integer, nullable=False),
    Column("abstains", Integer, nullable=False),
    Index("ix_rollups_at", "at"),
    Index("ix_rollups_whole", "at", postgresql_where=text("variant = ''")),
)

rollup_progress = Table(
    "rollup_progress",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("sequence", BigInteger, nullable=False, comment="ticks up to this one are rolled up"),
)
