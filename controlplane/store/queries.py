"""The read side: what the API shows, in as few statements as a page needs."""

from __future__ import annotations

import base64
import binascii
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, Select, Text, and_, case, cast, func, select, tuple_

from controlplane.domain.decision import Tick, Verdict
from controlplane.domain.target import Target
from controlplane.store.codec import TARGET, timestamp
from controlplane.store.engine import transaction
from controlplane.store.ledger import newest_rows
from controlplane.store.rollups import verdict_counts
from controlplane.store.tables import targets, tick_rows, ticks
from controlplane.store.tick_columns import VariantCount, fleet_of
from controlplane.store.tick_reader import LINKS, TickReader

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
class TickLine:
    """What a list shows of a tick."""

    id: str
    target: str
    at_s: float
    verdict: Verdict
    reason: str
    fleet: Mapping[str, VariantCount]
    requests_per_s: float | None
    attainment: float | None
    usd_per_hour: float
    applied: bool


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
        self._newest: dict[str, tuple[int, Tick]] = {}

    @property
    def engine(self) -> Engine:
        """The engine underneath, for those who read beside it."""
        return self._engine

    def target_rows(self, now_s: float, sparkline_points: int = 60, sparkline_s: float = 3600.0) -> list[TargetRow]:
        """Every target with its newest tick, by key."""
        with transaction(self._engine) as connection:
            mirrored = connection.execute(select(targets.c.body).order_by(targets.c.key)).scalars().all()
            last = self._last(connection)
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

    def _last(self, connection: Connection) -> dict[str, Tick]:
        """The newest ticks; those that were the newest already are not read again."""
        rows = connection.execute(newest_rows()).all()
        known = dict(self._newest.values())
        unread = [row for row in rows if row.sequence not in known]
        known |= {row.sequence: tick for row, tick in zip(unread, self._reader.ticks(connection, unread), strict=True)}
        self._newest = {known[row.sequence].inputs.target.key: (row.sequence, known[row.sequence]) for row in rows}
        return {key: tick for key, (_, tick) in self._newest.items()}

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
            rows = connection.execute(_page(_LINKS, wanted, cursor, limit)).all()
            found = self._reader.ticks(connection, rows[:limit])
        return found, _following(rows, limit)

    def line_page(self, wanted: TickFilter, cursor: str | None, limit: int) -> tuple[list[TickLine], str | None]:
        """As `tick_page`, of what lists show alone: no tick is read whole.

        Raises:
            BadCursor: if `cursor` is not one of ours.
        """
        with transaction(self._engine) as connection:
            rows = connection.execute(_page(_LINE, wanted, cursor, limit)).all()
        return [_line(row) for row in rows[:limit]], _following(rows, limit)

    def tick(self, tick_id: str) -> Tick | None:
        """One tick; None where there is none of that id."""
        if "\x00" in tick_id:  # PostgreSQL's text holds none, and says so with an error
            return None
        statement = select(*_LINKS).where(*_of_id(tick_id)).limit(1)
        with transaction(self._engine) as connection:
            found = self._reader.ticks(connection, connection.execute(statement).all())
        return found[0] if found else None

    def tick_at(self, target: str, at_s: float | None) -> Tick | None:
        """The newest tick of a target at or before a time (the newest of all without one)."""
        statement = select(*_LINKS).where(ticks.c.target == target)
        if at_s is not None:
            statement = statement.where(ticks.c.at <= timestamp(at_s))
        statement = statement.order_by(ticks.c.at.desc(), ticks.c.sequence.desc()).limit(1)
        with transaction(self._engine) as connection:
            found = self._reader.ticks(connection, connection.execute(statement).all())
        return found[0] if found else None

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
        numbered = select(ticks.c.sequence, ticks.c.at, stretch.label("stretch")).where(and_(*conditions)).subquery()
        last = select(func.max(numbered.c.sequence)).group_by(numbered.c.stretch)
        statement = select(*_LINKS).where(*conditions, ticks.c.sequence.in_(last))
        with transaction(self._engine) as connection:
            rows = connection.execute(statement.order_by(ticks.c.at, ticks.c.sequence)).all()
            return self._reader.ticks(connection, rows)

    def since_sequence(self, sequence: int) -> tuple[list[TickLine], int]:
        """Ticks that were recorded after one, and the sequence to ask from the next time."""
        statement = select(*_LINE).where(ticks.c.sequence > sequence).order_by(ticks.c.sequence).limit(500)
        with transaction(self._engine) as connection:
            rows = connection.execute(statement).all()
        return [_line(row) for row in rows], rows[-1].sequence if rows else sequence

    def newest_sequence(self) -> int:
        """The sequence of the tick that was recorded last; 0 before the first."""
        with transaction(self._engine) as connection:
            return int(connection.execute(select(func.max(tick_rows.c.sequence))).scalar() or 0)

    def verdict_counts(self) -> dict[tuple[str, str], int]:
        """Ticks by target and verdict: of the roll-ups, and of what came after them."""
        with transaction(self._engine) as connection:
            return verdict_counts(connection)


def _page(columns: Sequence[ColumnElement[Any]], wanted: TickFilter, cursor: str | None, limit: int) -> Select[Any]:
    statement = select(*columns).where(ticks.c.target == wanted.target)
    if wanted.verdicts:
        statement = statement.where(ticks.c.verdict.in_([v.value for v in wanted.verdicts]))
    if wanted.since_s is not None:
        statement = statement.where(ticks.c.at >= timestamp(wanted.since_s))
    if wanted.until_s is not None:
        statement = statement.where(ticks.c.at < timestamp(wanted.until_s))
    if cursor is not None:
        at, sequence = _place(cursor)
        statement = statement.where(tuple_(ticks.c.at, ticks.c.sequence) < tuple_(at, sequence))
    return statement.order_by(ticks.c.at.desc(), ticks.c.sequence.desc()).limit(limit + 1)


_LINKS = tuple(ticks.c[column.name] for column in LINKS)
_LINE = (
    ticks.c.sequence,
    ticks.c.id,
    ticks.c.target,
    ticks.c.at,
    ticks.c.verdict,
    ticks.c.reason,
    ticks.c.fleet,
    # As text: a real's shortest decimal is the number that was written.
    *(cast(ticks.c[name], Text).label(name) for name in ("requests_per_s", "attainment", "usd_per_hour")),
    ticks.c.applied,
)


def _line(row: Row[Any]) -> TickLine:
    return TickLine(
        id=row.id,
        target=row.target,
        at_s=row.at.timestamp(),
        verdict=Verdict(row.verdict),
        reason=row.reason,
        fleet=fleet_of(row.fleet),
        requests_per_s=_float(row.requests_per_s),
        attainment=_float(row.attainment),
        usd_per_hour=float(row.usd_per_hour),
        applied=row.applied,
    )


def _float(text: str | None) -> float | None:
    return None if text is None else float(text)


_NEW_ID = re.compile(r"[0-9a-f]{36}")


def _of_id(tick_id: str) -> list[ColumnElement[bool]]:
    """Where a tick of that id is: new ids begin with their time in milliseconds, others have an index."""
    if _NEW_ID.fullmatch(tick_id) is None:
        return [func.tick_id(ticks.c.ids) == tick_id, func.length(ticks.c.ids) != 18]
    at = datetime.fromtimestamp(int(tick_id[:12], 16) / 1000.0, UTC)
    margin = timedelta(milliseconds=2)
    return [ticks.c.ids == bytes.fromhex(tick_id), ticks.c.at >= at - margin, ticks.c.at <= at + margin]


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


def _following(rows: Sequence[Row[Any]], limit: int) -> str | None:
    """The cursor of the next page, where there is one."""
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    at_us = round((last.at - _EPOCH) / timedelta(microseconds=1))
    return base64.urlsafe_b64encode(f"{at_us}.{last.sequence}".encode()).decode().rstrip("=")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_SEQUENCE = 2**63 - 1
"""The column's largest number; the database refuses a larger one."""
_LAST_US = 253_402_300_799_000_000
"""The end of the year 9999, of which Python's calendar knows no more."""


def _place(cursor: str) -> tuple[datetime, int]:
    try:
        at_us, _, sequence = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(".")
        place = int(at_us), int(sequence)
    except (ValueError, binascii.Error) as error:
        raise BadCursor(cursor) from error
    if not (0 <= place[0] <= _LAST_US and 0 <= place[1] <= _MAX_SEQUENCE):
        raise BadCursor(cursor)
    return _EPOCH + timedelta(microseconds=place[0]), place[1]
