"""What the controller and the workers record."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
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

ticks = Table(
    "ticks",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=True, comment="order of arrival: the cursor"),
    Column("id", String(64), nullable=False, unique=True),
    Column("group_tick_id", String(64), nullable=False),
    Column("group", String(255), nullable=False),
    Column("target", String(512), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, comment="the controller's clock"),
    Column("verdict", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("planner_version", String(32), nullable=False),
    Column("requests_per_s", Float, comment="observed; NULL: not known"),
    Column("planned_requests_per_s", Float),
    Column("attainment", Float, comment="share of the window's requests that met the SLO; NULL: none finished"),
    Column("usd_per_hour", Float, nullable=False, comment="of the replicas that existed"),
    Column("applied", Boolean, nullable=False),
    Column("body", JSONB, nullable=False, comment="the whole tick: every input and output of the decider"),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=func.now(), comment="real time"),
    Index("ix_ticks_target_at", "target", "at", "sequence"),
    Index("ix_ticks_target_verdict_at", "target", "verdict", "at"),
    Index("ix_ticks_group_tick_id", "group_tick_id"),
    Index("ix_ticks_at", "at"),
)

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
