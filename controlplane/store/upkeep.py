"""What keeps the ledger in order: partitions ahead, and what is old.

Each step is a short transaction of its own, and gives up rather than wait for a lock that others would wait behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Engine, Table, delete, func, select, text, tuple_
from sqlalchemy.exc import OperationalError

from controlplane.domain.ports import LedgerUnavailable
from controlplane.store.codec import timestamp
from controlplane.store.engine import first_words, transaction
from controlplane.store.rollups import rolled_up_to
from controlplane.store.settings import StoredSetting
from controlplane.store.tables import forecasts, idempotency, rollups, sessions

DAY_S = 86_400.0
DAYS_AHEAD = 3
"""Partitions that are there before their day: writers make one themselves where this was not done."""
BATCH = 5_000
"""Rows that one transaction deletes."""
IDEMPOTENCY_DAYS = 1.0
"""A request that is repeated later than that is a new one."""
LOCK_TIMEOUT_MS = 2_000
"""A partition that cannot be had at once is had at the next round: what waits for a lock holds up those behind it."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Days of the controller's clock that things are kept; the audit is kept for ever."""

    ticks_days: float = 90.0
    rollups_days: float = 800.0
    """Two years and a bit: a month beside the same one of the year before."""
    forecasts_days: float = 14.0
    """Of the table that versions before wrote."""

    @classmethod
    def of(cls, settings: Mapping[str, StoredSetting]) -> Retention:
        """As people set it."""
        ticks, rolled = (float(str(settings[f"retention_{name}_days"].value)) for name in ("ticks", "rollups"))
        return cls(ticks_days=ticks, rollups_days=rolled)


def partitions_ahead(engine: Engine, now_s: float) -> None:
    """Make the partitions of the coming days."""
    for day in range(DAYS_AHEAD + 1):
        date = timestamp(now_s + day * DAY_S).strftime("%Y-%m-%d")
        with transaction(engine) as connection:
            connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"))
            connection.execute(select(func.make_tick_partition(func.to_date(date, "YYYY-MM-DD"))))


def drop_old_partitions(engine: Engine, before_s: float) -> list[str]:
    """Drop partitions whose last moment is before a time (unix seconds), and that are rolled up; their names.

    A partition is detached concurrently, so that ticks and pages go on; one whose detaching was cut off (by a restart)
    is finished first, and one that was left detached is dropped.
    """
    limit = "tick_rows_" + timestamp(before_s - DAY_S).strftime("%Y%m%d")
    with transaction(engine) as connection:
        found = connection.execute(text(_OLD), {"limit": limit}).all()
        done = rolled_up_to(connection)
    gone = []
    outside = engine.execution_options(isolation_level="AUTOCOMMIT")
    for row in found:
        with _at_once(outside) as connection:
            newer = text(f'SELECT EXISTS (SELECT 1 FROM "{row.relname}" WHERE sequence > :done)')
            if row.attached is not None and connection.execute(newer, {"done": done}).scalar():
                continue
            if row.attached is not None:
                how = "FINALIZE" if row.pending else "CONCURRENTLY"
                connection.execute(text(f'ALTER TABLE tick_rows DETACH PARTITION "{row.relname}" {how}'))
            connection.execute(text(f'DROP TABLE "{row.relname}"'))
        gone.append(row.relname)
    return gone


@contextmanager
def _at_once(engine: Engine) -> Iterator[Connection]:
    """A connection that is not within a transaction, in which PostgreSQL refuses to detach, and waits for no lock."""
    try:
        with engine.connect() as connection:
            connection.execute(text(f"SET lock_timeout = {LOCK_TIMEOUT_MS}"))
            yield connection
            connection.execute(text("RESET lock_timeout"))
    except OperationalError as error:
        raise LedgerUnavailable(first_words(error)) from error


_OLD = """
SELECT c.relname, i.inhparent AS attached, coalesce(i.inhdetachpending, false) AS pending
FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
WHERE c.relkind = 'r' AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'tick_rows'::regclass)
  AND c.relname ~ '^tick_rows_[0-9]{8}$' AND c.relname < :limit ORDER BY c.relname
"""


def delete_old(engine: Engine, kept: Retention, now_s: float, real_s: float) -> int:
    """Delete what is past its time, in batches; how many rows. Sessions and keys are on real time."""
    rules = (
        (rollups, rollups.c.at < timestamp(now_s - kept.rollups_days * DAY_S)),
        (forecasts, forecasts.c.made_at < timestamp(now_s - kept.forecasts_days * DAY_S)),
        (idempotency, idempotency.c.recorded_at < timestamp(real_s - IDEMPOTENCY_DAYS * DAY_S)),
        (sessions, sessions.c.expires_at < timestamp(real_s)),
    )
    return sum(_delete(engine, table, old) for table, old in rules)


def _delete(engine: Engine, table: Table, old: ColumnElement[bool]) -> int:
    key, gone = tuple_(*table.primary_key.columns), 0
    page = select(*table.primary_key.columns).where(old).limit(BATCH)
    while True:
        with transaction(engine) as connection:
            count = connection.execute(delete(table).where(key.in_(page))).rowcount
        gone += count
        if count < BATCH:
            return gone
