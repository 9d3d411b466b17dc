"""What workers do for people: jobs, and messages to those who want to be told."""

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
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from controlplane.store.tables.metadata import metadata

jobs = Table(
    "jobs",
    metadata,
    Column("id", Uuid, primary_key=True, comment="the permalink"),
    Column("kind", String(16), nullable=False, comment="Replay, WhatIf or Export"),
    Column("namespace", String(255), comment="NULL: of several namespaces"),
    Column("request", JSONB(none_as_null=True), nullable=False),
    Column("status", String(16), nullable=False, comment="Queued, Running, Succeeded, Failed or Cancelled"),
    Column("progress", Float, nullable=False, server_default="0", comment="0 to 1"),
    Column("cancel_requested", Boolean, nullable=False, server_default="false"),
    Column("created_by", String(512), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("started_at", DateTime(timezone=True)),
    Column("heartbeat_at", DateTime(timezone=True), comment="real time; a worker that died leaves it behind"),
    Column("finished_at", DateTime(timezone=True)),
    Column("result", JSONB(none_as_null=True)),
    Column("error", Text),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("claim", Uuid, comment="of the worker that plays it: whoever holds another one has lost it"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Index("ix_jobs_created_at_id", "created_at", "id"),
    Index("ix_jobs_status", "status"),
)

notification_channels = Table(
    "notification_channels",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("url", Text, nullable=False, comment="of the library; shown without its secrets"),
    Column(
        "events", JSONB(none_as_null=True), nullable=False, comment="Conflict, StockOut, MetricFault, Rollback, Budget"
    ),
    Column("namespaces", JSONB(none_as_null=True), comment="NULL: every namespace"),
    Column("enabled", Boolean, nullable=False, server_default="true"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("created_by", String(512), nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("channel_id", Uuid, ForeignKey("notification_channels.id", ondelete="CASCADE"), nullable=False),
    Column("event", String(32), nullable=False),
    Column("subject", String(512), nullable=False, comment="what it is about, so that it is told once"),
    Column("message", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("sent_at", DateTime(timezone=True)),
    Column("error", Text),
    Column("retry_at", DateTime(timezone=True), comment="real time; NULL: at once, or never again"),
    Index("ix_deliveries_channel_id_event_subject_at", "channel_id", "event", "subject", "at"),
    Index("ix_deliveries_unsent", "id", postgresql_where=text("sent_at IS NULL")),
)
