"""Which processes there are."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, DateTime, Integer, String, Table, func

from controlplane.store.tables.metadata import metadata

processes = Table(
    "processes",
    metadata,
    Column("name", String(255), primary_key=True, comment="host and a part that no other process has"),
    Column("kind", String(16), nullable=False, comment="Controller, Worker or Beat"),
    Column("version", String(32), nullable=False),
    Column("leads", Boolean, comment="of a controller: whether it holds the lease"),
    Column("busy", Integer, comment="of a worker: tasks under way"),
    Column("spooled", Integer, comment="of a controller: ticks that this database lacks"),
    Column("first_seen_at", DateTime(timezone=True), nullable=False, server_default=func.now(), comment="real time"),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=func.now(), comment="real time"),
)
