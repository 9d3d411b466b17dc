"""The fleet page's look back: attainment of a day, and an hour's sparklines, of every target at once.

A day of a large fleet is millions of ticks: it is read from the roll-ups, and of ticks only what they are behind. Of
the hour, minutes that were read are remembered, and read again only where a tick has come since.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Cast, Connection, Integer, and_, case, cast, func, select

from controlplane.store.codec import timestamp
from controlplane.store.lines import target_number
from controlplane.store.rollups import LAG, rolled_up_to
from controlplane.store.tables import rollups, tick_rows, tick_targets

DAY_S = 86_400.0
MINUTE_S = 60.0
POINTS = 60
"""Minutes of a sparkline."""
NOMINAL_HELD_S = 15.0
"""What a tick that is not rolled up yet speaks for, beside those that are: the usual interval."""

Line = tuple[float | None, ...]
_Minute = Mapping[str, tuple[float | None, float]]
"""Requests/s and dollars an hour, in the mean, by target."""


@dataclass(frozen=True, slots=True)
class Sparklines:
    """The last hour's minutes, oldest first."""

    minutes: tuple[_Minute, ...]

    def of(self, target: str) -> tuple[Line, Line]:
        """Requests/s and dollars an hour of one target; None where it did not tick."""
        found = [minute.get(target, (None, None)) for minute in self.minutes]
        return tuple(rate for rate, _ in found), tuple(cost for _, cost in found)


@dataclass(frozen=True, slots=True)
class _Read:
    """Minutes that were read, by their number, and the newest tick's sequence then."""

    sequence: int = 0
    minutes: Mapping[int, _Minute] = field(default_factory=dict)


class LastHours:
    """Remembers minutes between calls; replaced whole, so that threads may share it."""

    def __init__(self) -> None:
        self._read = _Read()

    def sparklines(self, connection: Connection, now_s: float, only: str | None = None) -> Sparklines:
        """The hour before `now_s` (unix seconds), in whole minutes; of one target alone, or of all."""
        last = math.ceil(now_s / MINUTE_S) - 1
        wanted = range(last - POINTS + 1, last + 1)
        if only is not None:
            return Sparklines(tuple(_minutes(connection, wanted[0], last, only).values()))
        before = self._read
        sequence = int(connection.execute(select(func.max(tick_rows.c.sequence))).scalar() or 0)
        unknown = {number for number in wanted if number not in before.minutes}
        unknown |= _touched(connection, before.sequence, wanted) if before.minutes else set()
        fresh = _minutes(connection, min(unknown), max(unknown)) if unknown else {}
        minutes = {number: fresh.get(number, before.minutes.get(number, {})) for number in wanted}
        self._read = _Read(sequence, minutes)
        return Sparklines(tuple(minutes[number] for number in wanted))

    def attainment_of_day(self, connection: Connection, now_s: float, only: str | None = None) -> dict[str, float]:
        """Attainment by target, weighted by load, so that a quiet night does not outweigh a busy noon."""
        since, done = timestamp(now_s - DAY_S), rolled_up_to(connection)
        summed = select(
            rollups.c.target, func.sum(rollups.c.met).label("met"), func.sum(rollups.c.known).label("known")
        )
        summed = summed.where(rollups.c.variant == "", rollups.c.at >= since).group_by(rollups.c.target)
        row = tick_rows.c
        known = and_(row.attainment.is_not(None), row.requests_per_s.is_not(None))
        newer = (
            select(
                tick_targets.c.key.label("target"),
                func.sum(case((known, row.attainment * row.requests_per_s * NOMINAL_HELD_S), else_=0.0)).label("met"),
                func.sum(case((known, row.requests_per_s * NOMINAL_HELD_S), else_=0.0)).label("known"),
            )
            .join(tick_targets, tick_targets.c.id == row.target_id)
            .where(row.sequence > done, row.at >= since)
            .group_by(tick_targets.c.key)
        )
        if only is not None:
            summed, newer = summed.where(rollups.c.target == only), newer.where(row.target_id == target_number(only))
        met: dict[str, float] = defaultdict(float)
        of: dict[str, float] = defaultdict(float)
        for statement in (summed, newer):
            for found in connection.execute(statement):
                met[found.target] += found.met
                of[found.target] += found.known
        return {target: met[target] / requests for target, requests in of.items() if requests > 0.0}


def _touched(connection: Connection, sequence: int, wanted: range) -> set[int]:
    """Minutes of which a tick was recorded since."""
    number = _number().label("number")
    since = timestamp(wanted[0] * MINUTE_S)
    # One with a lower sequence may have been committed later.
    newer = select(number).where(tick_rows.c.sequence > sequence - LAG, tick_rows.c.at >= since).distinct()
    return {int(found) for found in connection.execute(newer).scalars()} & set(wanted)


def _minutes(connection: Connection, first: int, last: int, only: str | None = None) -> dict[int, _Minute]:
    number = _number().label("number")
    rate, cost = func.avg(tick_rows.c.requests_per_s).label("rate"), func.avg(tick_rows.c.usd_per_hour).label("cost")
    inside = tick_rows.c.at >= timestamp(first * MINUTE_S), tick_rows.c.at < timestamp((last + 1) * MINUTE_S)
    means = select(tick_rows.c.target_id, number, rate, cost).where(*inside)
    if only is not None:
        means = means.where(tick_rows.c.target_id == target_number(only))
    means_of = means.group_by(tick_rows.c.target_id, number).subquery()
    named = select(tick_targets.c.key, means_of).join(tick_targets, tick_targets.c.id == means_of.c.target_id)
    found: dict[int, dict[str, tuple[float | None, float]]] = {n: {} for n in range(first, last + 1)}
    for row in connection.execute(named):
        found[row.number][row.key] = (row.rate, row.cost)
    return dict(found)


def _number() -> Cast[int]:
    """The minute that a row is of."""
    return cast(func.floor(func.extract("epoch", tick_rows.c.at) / MINUTE_S), Integer)
