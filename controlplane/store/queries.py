"""The read side: what the API shows, in as few statements as a page needs."""

from __future__ import annotations

import base64
import binascii
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Row, Select, and_, case, func, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on

from controlplane.domain.decision import Tick, Verdict
from controlplane.domain.target import Target
from controlplane.store.codec import TARGET, TICK, timestamp
from controlplane.store.engine import transaction
from controlplane.store.tables import targets, ticks

DAY_S = 86_400.0


class BadCursor(ValueError):
    """A cursor that this API did not give."""

    def __init__(self, value: str) -> None:
        super().__init__(f"cursor is {value!r}; allowed: next_cursor of a page before")
        self.value = value


@dataclass(frozen=True, slots=True)
class TickFilter:
    """Which ticks of a target; times are unix seconds, `until_s` is not included."""

    target: str
    verdicts: tuple[Verdict, ...] = ()
    since_s: float | None = None
    until_s: float | None = None


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

    @property
    def engine(self) -> Engine:
        """The engine underneath, for those who read beside it."""
        return self._engine

    def target_rows(self, now_s: float, sparkline_points: int = 60, sparkline_s: float = 3600.0) -> list[TargetRow]:
        """Every target with its newest tick, by key."""
        newest = select(ticks.c.target, ticks.c.body).ext(distinct_on(ticks.c.target))
        newest = newest.order_by(ticks.c.target, ticks.c.at.desc(), ticks.c.sequence.desc())
        with transaction(self._engine) as connection:
            mirrored = connection.execute(select(targets.c.body).order_by(targets.c.key)).scalars().all()
            last = {row.target: TICK.validate_python(row.body) for row in connection.execute(newest)}
            day = {row.target: row.share for row in connection.execute(_attainment_since(now_s - DAY_S))}
            spark = connection.execute(_sparkline(now_s, sparkline_points, sparkline_s)).all()
        lines, costs = (_sparklines(spark, sparkline_points, name) for name in ("rate", "cost"))
        unknown = (None,) * sparkline_points
        rows = []
        for body in mirrored:
            target = TARGET.validate_python(body)
            line, cost = lines.get(target.key, unknown), costs.get(target.key, unknown)
            rows.append(TargetRow(target, last.get(target.key), day.get(target.key), line, cost))
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
        statement = select(ticks.c.sequence, ticks.c.body).where(ticks.c.target == wanted.target)
        if wanted.verdicts:
            statement = statement.where(ticks.c.verdict.in_([v.value for v in wanted.verdicts]))
        if wanted.since_s is not None:
            statement = statement.where(ticks.c.at >= timestamp(wanted.since_s))
        if wanted.until_s is not None:
            statement = statement.where(ticks.c.at < timestamp(wanted.until_s))
        if cursor is not None:
            statement = statement.where(ticks.c.sequence < _sequence(cursor))
        statement = statement.order_by(ticks.c.sequence.desc()).limit(limit + 1)
        with transaction(self._engine) as connection:
            rows = connection.execute(statement).all()
        following = _cursor(rows[limit - 1].sequence) if len(rows) > limit else None
        return [TICK.validate_python(row.body) for row in rows[:limit]], following

    def tick(self, tick_id: str) -> Tick | None:
        """One tick; None where there is none of that id."""
        if "\x00" in tick_id:  # PostgreSQL's text holds none, and says so with an error
            return None
        with transaction(self._engine) as connection:
            body = connection.execute(select(ticks.c.body).where(ticks.c.id == tick_id)).scalar()
        return None if body is None else TICK.validate_python(body)

    def tick_at(self, target: str, at_s: float | None) -> Tick | None:
        """The newest tick of a target at or before a time (the newest of all without one)."""
        statement = select(ticks.c.body).where(ticks.c.target == target)
        if at_s is not None:
            statement = statement.where(ticks.c.at <= timestamp(at_s))
        statement = statement.order_by(ticks.c.at.desc(), ticks.c.sequence.desc()).limit(1)
        with transaction(self._engine) as connection:
            body = connection.execute(statement).scalar()
        return None if body is None else TICK.validate_python(body)

    def neighbours(self, tick: Tick) -> tuple[str | None, str | None]:
        """The ids of the target's ticks just before and just after one; None at either end of what is kept."""
        place, at = tuple_(ticks.c.at, ticks.c.id), tuple_(timestamp(tick.at_s), tick.id)
        of_target = select(ticks.c.id).where(ticks.c.target == tick.inputs.target.key)
        before = of_target.where(place < at).order_by(ticks.c.at.desc(), ticks.c.id.desc()).limit(1)
        after = of_target.where(place > at).order_by(ticks.c.at, ticks.c.id).limit(1)
        with transaction(self._engine) as connection:
            return connection.execute(before).scalar(), connection.execute(after).scalar()

    def thinned(self, wanted: TickFilter, points: int) -> list[Tick]:
        """At most `points` ticks of a range, oldest first: the last of each of so many equal stretches."""
        conditions = [ticks.c.target == wanted.target]
        if wanted.since_s is not None:
            conditions.append(ticks.c.at >= timestamp(wanted.since_s))
        if wanted.until_s is not None:
            conditions.append(ticks.c.at < timestamp(wanted.until_s))
        stretch = func.ntile(points).over(order_by=(ticks.c.at, ticks.c.sequence))
        numbered = select(ticks.c.sequence, stretch.label("stretch")).where(and_(*conditions)).subquery()
        last = select(func.max(numbered.c.sequence)).group_by(numbered.c.stretch)
        statement = select(ticks.c.body).where(ticks.c.sequence.in_(last)).order_by(ticks.c.at, ticks.c.sequence)
        with transaction(self._engine) as connection:
            return [TICK.validate_python(body) for body in connection.execute(statement).scalars()]

    def since_sequence(self, sequence: int) -> tuple[list[Tick], int]:
        """Ticks that were recorded after one, and the sequence to ask from the next time."""
        statement = select(ticks.c.sequence, ticks.c.body).where(ticks.c.sequence > sequence)
        statement = statement.order_by(ticks.c.sequence).limit(500)
        with transaction(self._engine) as connection:
            rows = connection.execute(statement).all()
        return [TICK.validate_python(row.body) for row in rows], rows[-1].sequence if rows else sequence

    def newest_sequence(self) -> int:
        """The sequence of the tick that was recorded last; 0 before the first."""
        with transaction(self._engine) as connection:
            return int(connection.execute(select(func.max(ticks.c.sequence))).scalar() or 0)

    def verdict_counts(self) -> dict[tuple[str, str], int]:
        """Ticks by target and verdict."""
        statement = select(ticks.c.target, ticks.c.verdict, func.count()).group_by(ticks.c.target, ticks.c.verdict)
        with transaction(self._engine) as connection:
            return {(target, verdict): count for target, verdict, count in connection.execute(statement)}


def _attainment_since(since_s: float) -> Select[Any]:
    """Attainment by target, weighted by load, so that a quiet night does not outweigh a busy noon."""
    known = and_(ticks.c.attainment.is_not(None), ticks.c.requests_per_s.is_not(None))
    weight = case((known, ticks.c.requests_per_s), else_=0.0)
    met = func.sum(case((known, ticks.c.attainment * ticks.c.requests_per_s), else_=0.0))
    share = (met / func.nullif(func.sum(weight), 0.0)).label("share")
    return select(ticks.c.target, share).where(ticks.c.at >= timestamp(since_s)).group_by(ticks.c.target)


def _sparkline(now_s: float, points: int, length_s: float) -> Select[Any]:
    start_s = now_s - length_s
    place = func.floor((func.extract("epoch", ticks.c.at) - start_s) / (length_s / points)).label("place")
    rate, cost = func.avg(ticks.c.requests_per_s).label("rate"), func.avg(ticks.c.usd_per_hour).label("cost")
    chosen = select(ticks.c.target, place, rate, cost)
    return chosen.where(ticks.c.at >= timestamp(start_s)).group_by(ticks.c.target, place)


def _sparklines(rows: Sequence[Row[Any]], points: int, column: str) -> dict[str, tuple[float | None, ...]]:
    lines: dict[str, list[float | None]] = defaultdict(lambda: [None] * points)
    for row in rows:
        if 0 <= row.place < points:
            lines[row.target][int(row.place)] = getattr(row, column)
    return {target: tuple(line) for target, line in lines.items()}


def _cursor(sequence: int) -> str:
    return base64.urlsafe_b64encode(str(sequence).encode()).decode().rstrip("=")


_MAX_SEQUENCE = 2**63 - 1
"""The column's largest number; the database refuses a larger one."""


def _sequence(cursor: str) -> int:
    try:
        sequence = int(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        sequence = -1
    if not 0 <= sequence <= _MAX_SEQUENCE:
        raise BadCursor(cursor)
    return sequence
