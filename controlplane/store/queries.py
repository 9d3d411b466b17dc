"""The read side: what the API shows, in as few statements as a page needs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Engine, Select, func, select, tuple_

from controlplane.domain.decision import Tick
from controlplane.domain.target import Target
from controlplane.store.codec import TARGET, timestamp
from controlplane.store.engine import transaction
from controlplane.store.last_hours import LastHours
from controlplane.store.ledger import newest_rows
from controlplane.store.lines import (
    BadCursor,
    ChartPage,
    TickFilter,
    TickLine,
    chart_page,
    following,
    line_of,
    line_page,
    lines_since,
    page_of,
    target_number,
    thinned_rows,
)
from controlplane.store.rollups import verdict_counts
from controlplane.store.tables import targets, tick_rows
from controlplane.store.tick_reader import LINKS, TickReader

__all__ = ["BadCursor", "ChartPage", "Heard", "Queries", "TargetRow", "TickFilter", "TickLine"]
Heard = Literal["overrides", "freezes"]
"""What people said that a policy holds."""
SINCE_AT_ONCE = 500
"""Ticks that one look for newer ones takes."""


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A mirrored target and its newest tick."""

    target: Target
    tick: Tick | None
    attainment_day: float | None
    sparkline_rps: tuple[float | None, ...]
    sparkline_usd: tuple[float | None, ...]


class Queries:
    """Reads the ledger. Every method is one transaction and may raise `LedgerUnavailable`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = TickReader()
        self._hours = LastHours()

    @property
    def engine(self) -> Engine:
        """The engine underneath, for those who read beside it."""
        return self._engine

    def target_rows(self, now_s: float, only: str | None = None) -> list[TargetRow]:
        """Every target with its newest tick, by key; or one alone."""
        wanted = select(targets.c.body).order_by(targets.c.key)
        if only is not None:
            wanted = wanted.where(targets.c.key == only)
        with transaction(self._engine) as connection:
            mirrored = connection.execute(wanted).scalars().all()
            newest = connection.execute(newest_rows(only)).all()
            last = {tick.inputs.target.key: tick for tick in self._reader.newest(connection, newest)}
            day = self._hours.attainment_of_day(connection, now_s, only)
            lines = self._hours.sparklines(connection, now_s, only)
        rows = []
        for body in mirrored:
            target = TARGET.validate_python(body)
            rows.append(TargetRow(target, last.get(target.key), day.get(target.key), *lines.of(target.key)))
        return rows

    def targets(self) -> list[Target]:
        """Every mirrored target, by key."""
        with transaction(self._engine) as connection:
            mirrored = connection.execute(select(targets.c.body).order_by(targets.c.key)).scalars().all()
        return [TARGET.validate_python(body) for body in mirrored]

    def target(self, key: str) -> Target | None:
        """One mirrored target by `namespace/name`; None where there is none."""
        if "\x00" in key:  # PostgreSQL's text holds none, and says so with an error
            return None
        with transaction(self._engine) as connection:
            body = connection.execute(select(targets.c.body).where(targets.c.key == key)).scalar()
        return None if body is None else TARGET.validate_python(body)

    def tick_page(self, wanted: TickFilter, cursor: str | None, limit: int) -> tuple[list[Tick], str | None]:
        """A page of ticks, newest first, and the cursor of the next one.

        Raises:
            BadCursor: if `cursor` is not one of ours.
        """
        with transaction(self._engine) as connection:
            rows = connection.execute(page_of(LINKS, wanted, cursor, limit)).all()
            found = self._reader.ticks(connection, rows[:limit])
        return found, following(rows, limit)

    def line_page(self, wanted: TickFilter, cursor: str | None, limit: int) -> tuple[list[TickLine], str | None]:
        """As `tick_page`, of what lists show alone: no tick is read whole.

        Raises:
            BadCursor: if `cursor` is not one of ours.
        """
        with transaction(self._engine) as connection:
            rows = line_page(connection, wanted, cursor, limit)
        return [line_of(row, wanted.target) for row in rows[:limit]], following(rows, limit)

    def heard_page(
        self, wanted: TickFilter, what: Heard, said_id: str, cursor: str | None, limit: int
    ) -> tuple[list[TickLine], str | None]:
        """As `line_page`, less those of the page in which that override or freeze was not heard. No tick is read: a
        chain's base has the same policy.

        Raises:
            BadCursor: if `cursor` is not one of ours.
        """
        with transaction(self._engine) as connection:
            rows = line_page(connection, wanted, cursor, limit)
            bases = self._reader.bases(connection, rows[:limit])
        hearing = {
            chain
            for chain, base in bases.items()
            if any(said["id"] == said_id for said in base["inputs"]["target"]["policy"][what])
        }
        return [line_of(row, wanted.target) for row in rows[:limit] if row.chain in hearing], following(rows, limit)

    def chart(self, wanted: TickFilter, points: int) -> ChartPage:
        """At most `points` ticks of a range as charts draw them: no tick is read whole."""
        with transaction(self._engine) as connection:
            return chart_page(connection, wanted, points)

    def tick(self, tick_id: str) -> Tick | None:
        """One tick; None where there is none of that id."""
        if "\x00" in tick_id:  # PostgreSQL's text holds none, and says so with an error
            return None
        return self._one(select(*LINKS).where(*_of_id(tick_id)).limit(1))

    def tick_at(self, target: str, at_s: float | None) -> Tick | None:
        """The newest tick of a target at or before a time (the newest of all without one)."""
        statement = select(*LINKS).where(tick_rows.c.target_id == target_number(target))
        if at_s is not None:
            statement = statement.where(tick_rows.c.at <= timestamp(at_s))
        return self._one(statement.order_by(tick_rows.c.at.desc(), tick_rows.c.sequence.desc()).limit(1))

    def _one(self, statement: Select[Any]) -> Tick | None:
        with transaction(self._engine) as connection:
            found = self._reader.ticks(connection, connection.execute(statement).all())
        return found[0] if found else None

    def neighbours(self, tick: Tick) -> tuple[str | None, str | None]:
        """The ids of the target's ticks just before and just after one; None at either end of what is kept."""
        row, tick_id = tick_rows.c, func.tick_id(tick_rows.c.ids)
        at = timestamp(tick.at_s)
        place, here = tuple_(row.at, tick_id), tuple_(at, tick.id)
        of_target = select(tick_id).where(row.target_id == target_number(tick.inputs.target.key)).limit(1)
        before = of_target.where(row.at <= at, place < here).order_by(row.at.desc(), tick_id.desc())
        after = of_target.where(row.at >= at, place > here).order_by(row.at, tick_id)
        with transaction(self._engine) as connection:
            return connection.execute(before).scalar(), connection.execute(after).scalar()

    def together(self, tick: Tick) -> list[Tick]:
        """The ticks that were decided together with one, itself included, by target."""
        # The time narrows the search to where the rows lie together.
        of_group = select(*LINKS).where(
            tick_rows.c.at == timestamp(tick.at_s), func.tick_group_id(tick_rows.c.ids) == tick.group_tick_id
        )
        with transaction(self._engine) as connection:
            found = self._reader.ticks(connection, connection.execute(of_group).all())
        return sorted(found, key=lambda one: one.inputs.target.key)

    def thinned(self, wanted: TickFilter, points: int) -> list[Tick]:
        """At most `points` ticks of a range, oldest first: the last of each of so many equal stretches. They are read
        whole, which costs a millisecond each: for charts there is `chart`."""
        with transaction(self._engine) as connection:
            rows = connection.execute(thinned_rows(connection, LINKS, wanted, points)).all()
            return self._reader.ticks(connection, sorted(rows, key=lambda row: (row.at, row.sequence)))

    def since_sequence(self, sequence: int) -> tuple[list[TickLine], int]:
        """Ticks that were recorded after one, and the sequence to ask from the next time."""
        with transaction(self._engine) as connection:
            rows = lines_since(connection, sequence, SINCE_AT_ONCE)
        return [line_of(row, row.key) for row in rows], rows[-1].sequence if rows else sequence

    def newest_sequence(self) -> int:
        """The sequence of the tick that was recorded last; 0 before the first."""
        with transaction(self._engine) as connection:
            return int(connection.execute(select(func.max(tick_rows.c.sequence))).scalar() or 0)

    def verdict_counts(self) -> dict[tuple[str, str], int]:
        """Ticks by target and verdict: of the roll-ups, and of what came after them."""
        with transaction(self._engine) as connection:
            return verdict_counts(connection)


_NEW_ID = re.compile(r"[0-9a-f]{36}")


def _of_id(tick_id: str) -> list[ColumnElement[bool]]:
    """Where a tick of that id is: new ids begin with their time in milliseconds, others have an index."""
    if _NEW_ID.fullmatch(tick_id) is None:
        return [func.tick_id(tick_rows.c.ids) == tick_id, func.length(tick_rows.c.ids) != 18]
    at = datetime.fromtimestamp(int(tick_id[:12], 16) / 1000.0, UTC)
    margin = timedelta(milliseconds=2)
    return [tick_rows.c.ids == bytes.fromhex(tick_id), tick_rows.c.at >= at - margin, tick_rows.c.at <= at + margin]
