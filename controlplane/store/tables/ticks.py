"""The ledger's decisions: narrow rows in partitions of a day, and small dictionaries beside them.

The view `ticks` of the migration puts both together for people who ask in SQL.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    String,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, REAL

from controlplane.store.tables.metadata import metadata

VERDICTS = ("hold", "up", "down", "abstain")
"""By the number that a row holds."""

tick_targets = Table(
    "tick_targets",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("key", String(512), nullable=False, unique=True, comment="namespace/name"),
)

tick_texts = Table(
    "tick_texts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("digest", LargeBinary, nullable=False, unique=True, comment="SHA-256 of the text"),
    Column("text", Text, nullable=False, comment="words with %s for each number; for format()"),
)

tick_bases = Table(
    "tick_bases",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("digest", LargeBinary, nullable=False, unique=True, comment="SHA-256 of the body"),
    Column("body", LargeBinary, nullable=False, comment="a whole tick's JSON, deflated: what full ticks are read with"),
)

tick_sequence = Sequence("tick_sequence", metadata=metadata)

tick_rows = Table(
    "tick_rows",
    metadata,
    Column("at", DateTime(timezone=True), nullable=False, comment="the controller's clock"),
    Column("sequence", BigInteger, nullable=False, comment="order of arrival"),
    Column("chain", BigInteger, nullable=False, comment="sequence of the full tick that this one is read from"),
    Column("target_id", Integer, nullable=False, comment="of tick_targets"),
    Column("text_id", Integer, nullable=False, comment="of tick_texts: the reason"),
    Column("fleet_id", Integer, nullable=False, comment="of tick_texts: the fleet, see tick_columns.py"),
    Column("base_id", Integer, comment="of tick_bases; NULL: a brief tick, read from the one before in its chain"),
    Column("requests_per_s", REAL, comment="observed; NULL: not known"),
    Column("planned_requests_per_s", REAL),
    Column("input_tokens", REAL, comment="of a request, observed"),
    Column("output_tokens", REAL),
    Column("attainment", REAL, comment="share of the window's requests that met the SLO; NULL: none finished"),
    Column("usd_per_hour", REAL, nullable=False, comment="of the replicas that existed"),
    Column("waiting", REAL, comment="requests in the engines' queues"),
    Column("running", REAL, comment="requests in the engines"),
    Column("kv_usage", REAL, comment="of the fullest variant, its mean share"),
    Column("ttft_p50_s", REAL, comment="of the slowest variant, as the others of latency"),
    Column("ttft_p99_s", REAL),
    Column("tpot_p50_s", REAL),
    Column("tpot_p99_s", REAL),
    Column("forecast_ahead_s", REAL, comment="from the tick to the end of the window that the forecast is of"),
    Column("forecast_p10", REAL, comment="of the peak of requests/s until then, as the others"),
    Column("forecast_p50", REAL),
    Column("forecast_p90", REAL),
    Column("verdict", SmallInteger, nullable=False, comment="0 hold, 1 up, 2 down, 3 abstain"),
    Column("applied", Boolean, nullable=False),
    Column("ids", LargeBinary, nullable=False, comment="of the group tick and of this one"),
    Column("numbers", Text, nullable=False, comment="of the reason, with blanks between"),
    Column("fleet", Text, nullable=False, comment="numbers of the fleet, with blanks between"),
    Column("body", LargeBinary, nullable=False, comment="every input and output of the decider, as a difference"),
    PrimaryKeyConstraint("target_id", "at", "ids"),
    CheckConstraint("length(ids) <= 130", name="ids"),
    Index("ix_tick_rows_changes", "target_id", "at", "verdict", postgresql_where=text("verdict <> 0")),
    Index("ix_tick_rows_sequence", "sequence"),
    Index("ix_tick_rows_at", "at", postgresql_using="brin", postgresql_with={"autosummarize": "on"}),
    Index("ix_tick_rows_old_ids", text("tick_id(ids)"), postgresql_where=text("length(ids) <> 18")),
    postgresql_partition_by="RANGE (at)",
)

ticks_before = Table(
    "ticks_before",
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
"""Ticks as versions before 0009 wrote them, until they are carried over."""
