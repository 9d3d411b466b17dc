"""The ledger's decisions: narrow rows in partitions of a day, small dictionaries beside them, a view for readers."""

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
    MetaData,
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
    Column("text_id", Integer, nullable=False, comment="of tick_texts: the reason, then the fleet, a line each"),
    Column("base_id", Integer, comment="of tick_bases; NULL: a brief tick, read from the one before in its chain"),
    Column("requests_per_s", REAL, comment="observed; NULL: not known"),
    Column("planned_requests_per_s", REAL),
    Column("input_tokens", REAL, comment="of a request, observed"),
    Column("output_tokens", REAL),
    Column("attainment", REAL, comment="share of the window's requests that met the SLO; NULL: none finished"),
    Column("usd_per_hour", REAL, nullable=False, comment="of the replicas that existed"),
    Column("verdict", SmallInteger, nullable=False, comment="0 hold, 1 up, 2 down, 3 abstain"),
    Column("applied", Boolean, nullable=False),
    Column("ids", LargeBinary, nullable=False, comment="of the group tick and of this one"),
    Column("numbers", Text, nullable=False, comment="of the text, with blanks between"),
    Column("body", LargeBinary, nullable=False, comment="every input and output of the decider, as a difference"),
    PrimaryKeyConstraint("target_id", "at", "ids"),
    CheckConstraint("length(ids) <= 130", name="ids"),
    Index("ix_tick_rows_changes", "target_id", "at", postgresql_where=text("verdict <> 0")),
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
"""Ticks as versions before 0007 wrote them, until they are carried over."""

ticks = Table(
    "ticks",
    MetaData(),
    Column("sequence", BigInteger),
    Column("id", Text),
    Column("group_tick_id", Text),
    Column("target", Text),
    Column("at", DateTime(timezone=True)),
    Column("verdict", Text),
    Column("reason", Text),
    Column("fleet", Text),
    Column("requests_per_s", REAL),
    Column("planned_requests_per_s", REAL),
    Column("attainment", REAL),
    Column("usd_per_hour", REAL),
    Column("applied", Boolean),
    Column("chain", BigInteger),
    Column("target_id", Integer),
    Column("base_id", Integer),
    Column("ids", LargeBinary),
    Column("body", LargeBinary),
)
"""The view for those who read."""
