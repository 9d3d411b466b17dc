"""What a stretch of time cost and carried, by target, variant and day. The one place that reports read.

Dollars, requests and attainment are summed from the columns of every tick, each speaking for the time until the next.
GPU-hours, tokens and the split by variant are of a tick each quarter of an hour, scaled so that the parts make up the
whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import Engine, case, func, select

from controlplane.domain.decision import Tick
from controlplane.store.codec import timestamp
from controlplane.store.engine import transaction
from controlplane.store.queries import Queries
from controlplane.store.recorded import Recorded
from controlplane.store.tables import ticks

DAY_S = 86_400.0
HELD_S = 300.0
"""A tick speaks for the time until the next, but no longer: beyond it nobody was there to see."""
SAMPLES_PER_DAY = 96
"""Ticks that are read whole: one each quarter of an hour, since fleets change more slowly than they are looked at."""


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


@dataclass(frozen=True, slots=True)
class _Day:
    target: str
    day: str
    requests: float
    known: float
    met: float
    seconds: float
    cost_usd: Decimal


@dataclass(frozen=True, slots=True)
class _Split:
    """Of a day's samples: what each variant has of the fleet's dollars, GPUs in the mean, and tokens of a request."""

    usd_shares: Mapping[str, float]
    gpus: Mapping[str, float]
    tokens_per_request: float


class Reports:
    """Reads what reports are made of."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._recorded = Recorded(Queries(engine))

    def cells(self, targets: Sequence[str], since_s: float, until_s: float) -> list[Cell]:
        """Every variant and day of those targets in `[since_s, until_s)`."""
        found = []
        for day in self._days(targets, since_s, until_s):
            start_s = datetime.fromisoformat(day.day).replace(tzinfo=UTC).timestamp()
            split = self._split(day.target, max(since_s, start_s), min(until_s, start_s + DAY_S))
            found += _cells(day, split)
        return found

    def spent(self, targets: Sequence[str], since_s: float, until_s: float) -> dict[str, Decimal]:
        """Dollars by target."""
        found: dict[str, Decimal] = {}
        for day in self._days(targets, since_s, until_s):
            found[day.target] = found.get(day.target, Decimal(0)) + day.cost_usd
        return found

    def _days(self, targets: Sequence[str], since_s: float, until_s: float) -> list[_Day]:
        following = func.lead(ticks.c.at).over(partition_by=ticks.c.target, order_by=(ticks.c.at, ticks.c.sequence))
        gap = func.extract("epoch", func.coalesce(following, timestamp(until_s)) - ticks.c.at)
        inside = (ticks.c.at >= timestamp(since_s), ticks.c.at < timestamp(until_s), ticks.c.target.in_(list(targets)))
        columns = (ticks.c.target, ticks.c.at, ticks.c.requests_per_s, ticks.c.attainment, ticks.c.usd_per_hour)
        held = select(*columns, func.least(gap, HELD_S).label("held")).where(*inside).subquery()
        requests = func.coalesce(held.c.requests_per_s, 0.0) * held.c.held
        day = func.to_char(held.c.at, "YYYY-MM-DD").label("day")
        statement = select(
            held.c.target,
            day,
            func.sum(requests).label("requests"),
            func.sum(case((held.c.attainment.is_not(None), requests), else_=0.0)).label("known"),
            func.sum(func.coalesce(held.c.attainment, 0.0) * requests).label("met"),
            func.sum(held.c.held).label("seconds"),
            func.sum(held.c.usd_per_hour * held.c.held / 3600.0).label("usd"),
        ).group_by(held.c.target, day)
        with transaction(self._engine) as connection:
            rows = connection.execute(statement.order_by(held.c.target, day)).all()
        return [
            _Day(
                r.target,
                r.day,
                float(r.requests),
                float(r.known),
                float(r.met),
                float(r.seconds),
                Decimal(repr(float(r.usd))),
            )
            for r in rows
        ]

    def _split(self, target: str, since_s: float, until_s: float) -> _Split:
        return _split_of(
            [t for piece in self._recorded.window(target, since_s, until_s, SAMPLES_PER_DAY) for t in piece]
        )


def _split_of(sampled: Sequence[Tick]) -> _Split:
    usd: dict[str, float] = {}
    gpus: dict[str, float] = {}
    requests, tokens = 0.0, 0.0
    for tick in sampled:
        load = tick.inputs.observation.load
        if load is not None:
            requests += load.requests_per_s
            tokens += load.requests_per_s * (load.input_tokens + load.output_tokens)
        for variant in tick.inputs.target.variants:
            seen = tick.inputs.observation.variant(variant.name)
            there = 0 if seen is None else seen.ready + seen.pending + seen.terminating + seen.failed
            usd[variant.name] = usd.get(variant.name, 0.0) + there * variant.usd_per_replica_hour
            gpus[variant.name] = gpus.get(variant.name, 0.0) + there * variant.gpus_per_replica
    whole = sum(usd.values())
    shares = {name: (part / whole if whole else 1.0 / len(usd)) for name, part in usd.items()}
    means = {name: part / len(sampled) for name, part in gpus.items()}
    return _Split(shares, means, tokens / requests if requests else 0.0)


def _cells(day: _Day, split: _Split) -> list[Cell]:
    whole = Cell(
        target=day.target,
        variant="",
        day=day.day,
        requests=day.requests,
        known=day.known,
        met=day.met,
        tokens=day.requests * split.tokens_per_request,
        seconds=day.seconds,
        gpu_hours=0.0,
        cost_usd=day.cost_usd,
    )
    total = sum(split.gpus.values())
    return [
        replace(
            whole,
            variant=name,
            # Requests are not told apart by variant: they are shared out as the GPUs are.
            requests=whole.requests * _share(gpus, total, len(split.gpus)),
            known=whole.known * _share(gpus, total, len(split.gpus)),
            met=whole.met * _share(gpus, total, len(split.gpus)),
            tokens=whole.tokens * _share(gpus, total, len(split.gpus)),
            gpu_hours=gpus * day.seconds / 3600.0,
            cost_usd=whole.cost_usd * Decimal(repr(split.usd_shares[name])),
        )
        for name, gpus in split.gpus.items()
    ] or [whole]


def _share(part: float, whole: float, count: int) -> float:
    return part / whole if whole else 1.0 / count
