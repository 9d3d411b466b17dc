"""What a stretch of time cost and carried, by target, variant and day. The one place that reports read.

Whole hours come from the roll-ups; ticks are read for the rest alone: the edges of the stretch, and hours that got
ticks since they were rolled up. Both are the same sums (see `rollups`): each tick speaks for the time until the next.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection, Engine, String, column, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP

from controlplane.store.codec import timestamp
from controlplane.store.engine import plan_anew, transaction
from controlplane.store.rollups import HELD_S, HOUR, Stretch, rolled_up_to, sums, touched_hours
from controlplane.store.tables import rollups, tick_rows, tick_targets

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Cell:
    """One target's variant on one day (UTC, `2026-01-05`). Requests are rates summed over time; `met` of `known` ones
    met the SLO; `tokens` are prompt and answer."""

    target: str
    variant: str
    day: str
    requests: float
    known: float
    met: float
    tokens: float
    seconds: float
    gpu_hours: float
    cost_usd: Decimal


class Reports:
    """Reads what reports are made of."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def cells(self, targets: Sequence[str], since_s: float, until_s: float) -> list[Cell]:
        """Every variant and day of those targets in `[since_s, until_s)`, by target and day."""
        days: dict[tuple[str, str], dict[str, Cell]] = defaultdict(dict)
        with transaction(self._engine) as connection:
            plan_anew(connection)
            for cell in _parts(connection, targets, timestamp(since_s), timestamp(until_s)):
                of_day = days[cell.target, cell.day]
                known = of_day.get(cell.variant)
                of_day[cell.variant] = cell if known is None else _added(known, cell)
        return [cell for _, of_day in sorted(days.items()) for cell in _shared_out(of_day)]

    def spent(self, targets: Sequence[str], since_s: float, until_s: float) -> dict[str, Decimal]:
        """Dollars by target."""
        found: dict[str, Decimal] = {}
        for cell in self.cells(targets, since_s, until_s):
            found[cell.target] = found.get(cell.target, Decimal(0)) + cell.cost_usd
        return found


def _parts(connection: Connection, targets: Sequence[str], since: datetime, until: datetime) -> Iterator[Cell]:
    """Cells of the roll-ups and of ticks; several of the same target, variant and day."""
    numbers = {
        row.id: row.key for row in connection.execute(select(tick_targets).where(tick_targets.c.key.in_(list(targets))))
    }
    first, last = _hour(since + HOUR - timedelta(microseconds=1)), _hour(until)
    if first >= last:
        raw = [Stretch(number, since, until) for number in numbers]
    else:
        behind = _behind(connection, numbers, first, last)
        yield from _rolled_up(connection, [(numbers[one.target_id], one.since) for one in behind], targets, first, last)
        edges = [(since, first), (last, until)]
        raw = behind + [Stretch(n, begin, end) for begin, end in edges if begin < end for n in numbers]
    for part in sums(connection, raw, until):
        yield Cell(
            part.target,
            part.variant,
            f"{part.at:%Y-%m-%d}",
            part.requests,
            part.known,
            part.met,
            part.tokens,
            part.seconds,
            part.gpu_seconds / 3600.0,
            part.usd,
        )


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _behind(connection: Connection, numbers: Iterable[int], first: datetime, last: datetime) -> list[Stretch]:
    """Hours that got ticks since they were rolled up."""
    row = tick_rows.c
    newer = select(row.target_id, row.at).where(
        row.sequence > rolled_up_to(connection),
        row.target_id.in_(list(numbers)),
        row.at >= first,
        row.at < last + timedelta(seconds=HELD_S),
    )
    return [one for one in touched_hours(connection, newer.subquery()) if first <= one.since < last]


def _rolled_up(
    connection: Connection,
    behind: Sequence[tuple[str, datetime]],
    targets: Sequence[str],
    first: datetime,
    last: datetime,
) -> list[Cell]:
    """Days of the roll-ups, less the hours that they are behind."""
    table = rollups.c
    names = ("requests", "known", "met", "tokens", "seconds", "gpu_seconds", "usd")
    day = func.to_char(func.date_trunc("day", table.at, "UTC"), "YYYY-MM-DD").label("day")
    summed = select(table.target, table.variant, day, *(func.sum(table[name]).label(name) for name in names))
    summed = summed.where(table.target.in_(list(targets)), table.at >= first, table.at < last)
    if behind:
        keys, hours = zip(*behind, strict=True)
        pairs = func.unnest(literal(list(keys), ARRAY(String)), literal(list(hours), ARRAY(TIMESTAMP(timezone=True))))
        left = pairs.table_valued(column("key", String), column("at", TIMESTAMP(timezone=True)), name="behind")
        one = left.render_derived()
        summed = summed.where(~select(one).where(one.c.key == table.target, one.c.at == table.at).exists())
    rows = connection.execute(summed.group_by(table.target, table.variant, day)).all()
    return [
        Cell(r.target, r.variant, r.day, r.requests, r.known, r.met, r.tokens, r.seconds, r.gpu_seconds / 3600.0, r.usd)
        for r in rows
    ]


def _added(one: Cell, other: Cell) -> Cell:
    return replace(
        one,
        requests=one.requests + other.requests,
        known=one.known + other.known,
        met=one.met + other.met,
        tokens=one.tokens + other.tokens,
        seconds=one.seconds + other.seconds,
        gpu_hours=one.gpu_hours + other.gpu_hours,
        cost_usd=one.cost_usd + other.cost_usd,
    )


def _shared_out(of_day: Mapping[str, Cell]) -> list[Cell]:
    """A day's whole, shared out among its variants so that the parts make up the whole. Requests are not told apart by
    variant: they go as the GPUs do."""
    whole, variants = of_day[""], [cell for name, cell in sorted(of_day.items()) if name]
    gpus, usd = sum(v.gpu_hours for v in variants), sum((v.cost_usd for v in variants), Decimal(0))
    found = []
    for variant in variants:
        share = variant.gpu_hours / gpus if gpus else 1.0 / len(variants)
        cell = replace(
            whole,
            variant=variant.variant,
            requests=whole.requests * share,
            known=whole.known * share,
            met=whole.met * share,
            tokens=whole.tokens * share,
            gpu_hours=variant.gpu_hours,
            cost_usd=whole.cost_usd * (variant.cost_usd / usd if usd else Decimal(1) / len(variants)),
        )
        found.append(cell)
    return found or [whole]
