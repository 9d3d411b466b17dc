"""`Ledger` in PostgreSQL, and its fake in memory."""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from sqlalchemy import Engine, Integer, Row, cast, func, select
from sqlalchemy.dialects.postgresql import distinct_on, insert

from controlplane.domain.decision import ColdStart, Forecast, Tick
from controlplane.domain.observation import ColdStartStages, Replica
from controlplane.domain.ports import Fit, LedgerUnavailable
from controlplane.domain.target import Target
from controlplane.planning.cold_starts import summarise
from controlplane.planning.load_history import BIN_S
from controlplane.store.codec import FIT, FORECAST, POLICY, TARGET, TICK, tick_row, timestamp
from controlplane.store.engine import make_engine, transaction
from controlplane.store.tables import cold_start_samples, fits, forecasts, policies, targets, ticks
from forecasters.types import Series

CHANNEL = "tidegate_ticks"
"""PostgreSQL's NOTIFY channel on which a commit of ticks is told."""
COLD_STARTS_KEPT = 50
"""Newest cold starts per variant that the percentiles are of: images and models change."""


class PostgresLedger:
    """See `Ledger`. Every method is one transaction."""

    def __init__(self, url: str) -> None:
        self._engine = make_engine(url)

    @property
    def engine(self) -> Engine:
        """The engine underneath, for queries of the read side."""
        return self._engine

    def append(self, new: Sequence[Tick]) -> None:
        """Insert ticks that are not there yet, and tell those who listen."""
        if not new:
            return
        with transaction(self._engine) as connection:
            statement = insert(ticks).on_conflict_do_nothing(index_elements=["id"])
            connection.execute(statement, [tick_row(tick) for tick in new])
            connection.execute(select(func.pg_notify(CHANNEL, new[-1].id)))

    def save_forecasts(self, new: Sequence[Forecast]) -> None:
        """Insert the forecasts; one that is there stays."""
        if not new:
            return
        rows = [
            {
                "target": forecast.target,
                "made_at": timestamp(forecast.made_at_s),
                "horizon_s": forecast.horizon_s,
                "forecaster": forecast.requests_per_s.forecaster,
                "body": FORECAST.dump_python(forecast, mode="json"),
            }
            for forecast in new
        ]
        with transaction(self._engine) as connection:
            connection.execute(insert(forecasts).on_conflict_do_nothing(), rows)

    def save_targets(self, seen: Sequence[Target], now_s: float) -> None:
        """Mirror targets and their policies; a policy is versioned by its content."""
        if not seen:
            return
        with transaction(self._engine) as connection:
            for target in seen:
                body = TARGET.dump_python(target, mode="json")
                row = {"namespace": target.namespace, "name": target.name, "body": body, "seen_at": timestamp(now_s)}
                mirror = insert(targets).values(key=target.key, **row)
                connection.execute(mirror.on_conflict_do_update(index_elements=["key"], set_=row))
                policy = POLICY.dump_python(target.policy, mode="json")
                version = insert(policies).values(
                    target=target.key, digest=_digest(policy), body=policy, first_seen_at=timestamp(now_s)
                )
                connection.execute(version.on_conflict_do_nothing(index_elements=["target", "digest"]))

    def save_cold_start(self, target: str, replica: Replica) -> None:
        """Keep the measured cold start of a replica that is Ready; the same replica twice is kept once."""
        stages = replica.stages or ColdStartStages()
        row = {
            "target": target,
            "variant": replica.variant,
            "replica": replica.name,
            "created_at": timestamp(replica.created_at_s),
            "seconds": cold_seconds(replica),
            "scheduled_s": stages.scheduled_s,
            "pulled_s": stages.pulled_s,
            "loaded_s": stages.loaded_s,
        }
        with transaction(self._engine) as connection:
            connection.execute(insert(cold_start_samples).values(row).on_conflict_do_nothing())

    def save_fit(self, fit: Fit) -> None:
        """Keep a fitted forecaster."""
        row = {
            "target": fit.target,
            "fitted_at": timestamp(fit.fitted_at_s),
            "forecaster": fit.forecaster,
            "body": FIT.dump_python(fit, mode="json"),
        }
        with transaction(self._engine) as connection:
            connection.execute(insert(fits).values(row))

    def targets(self) -> list[Target]:
        """Every target that was ever mirrored, by key."""
        with transaction(self._engine) as connection:
            rows = connection.execute(select(targets.c.body).order_by(targets.c.key)).scalars().all()
        return [TARGET.validate_python(body) for body in rows]

    def cold_starts(self) -> dict[str, dict[str, ColdStart]]:
        """Measured cold starts by target key and variant, of the newest of each."""
        table = cold_start_samples
        place = func.row_number().over(
            partition_by=(table.c.target, table.c.variant), order_by=table.c.created_at.desc()
        )
        parts = (table.c.scheduled_s, table.c.pulled_s, table.c.loaded_s)
        ranked = select(table.c.target, table.c.variant, table.c.seconds, *parts, place.label("place")).subquery()
        newest = select(ranked).where(ranked.c.place <= COLD_STARTS_KEPT)
        with transaction(self._engine) as connection:
            rows = connection.execute(newest).all()
        return _by_variant(
            (r.target, r.variant, r.seconds, ColdStartStages(r.scheduled_s, r.pulled_s, r.loaded_s)) for r in rows
        )

    def last_ticks(self) -> dict[str, Tick]:
        """The newest tick of each target by target key."""
        newest = select(ticks.c.target, ticks.c.body).ext(distinct_on(ticks.c.target))
        ordered = newest.order_by(ticks.c.target, ticks.c.at.desc(), ticks.c.sequence.desc())
        with transaction(self._engine) as connection:
            rows = connection.execute(ordered).all()
        return {row.target: TICK.validate_python(row.body) for row in rows}

    def load_history(self, target: str, since_s: float) -> dict[str, Series]:
        """The observed load in 60 s bins by quantity; empty where there is none."""
        number = cast(func.floor(func.extract("epoch", ticks.c.at) / BIN_S), Integer)
        load = ticks.c.body["inputs"]["observation"]["load"]
        rate = ticks.c.requests_per_s
        tokens_in, tokens_out = load["input_tokens"].as_float(), load["output_tokens"].as_float()
        binned = (
            select(
                number.label("number"),
                func.avg(rate).label("rate"),
                func.avg(rate * tokens_in).label("tokens_in"),
                func.avg(rate * tokens_out).label("tokens_out"),
            )
            .where(ticks.c.target == target, ticks.c.at >= timestamp(since_s), rate.is_not(None))
            .group_by(number)
            .order_by(number)
        )
        with transaction(self._engine) as connection:
            rows = connection.execute(binned).all()
        return _series(rows)

    def fits(self) -> dict[str, Fit]:
        """The newest fit of each target."""
        newest = select(fits.c.target, fits.c.body).ext(distinct_on(fits.c.target))
        ordered = newest.order_by(fits.c.target, fits.c.fitted_at.desc(), fits.c.id.desc())
        with transaction(self._engine) as connection:
            rows = connection.execute(ordered).all()
        return {row.target: FIT.validate_python(row.body) for row in rows}

    def group_ticks(self, since_s: float | None = None) -> Iterator[list[Tick]]:
        """Ticks that were decided together, oldest first; read in pieces, so that any history fits."""
        statement = select(ticks.c.group_tick_id, ticks.c.body).order_by(ticks.c.at, ticks.c.group_tick_id)
        if since_s is not None:
            statement = statement.where(ticks.c.at >= timestamp(since_s))
        together: list[Tick] = []
        with transaction(self._engine) as connection:
            streamed = connection.execution_options(yield_per=200, stream_results=True).execute(statement)
            for row in streamed:
                if together and together[0].group_tick_id != row.group_tick_id:
                    yield together
                    together = []
                together.append(TICK.validate_python(row.body))
        if together:
            yield together

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()


def _digest(policy: object) -> str:
    return hashlib.sha256(json.dumps(policy, sort_keys=True).encode()).hexdigest()


def cold_seconds(replica: Replica) -> float:
    """Seconds from creation to Ready.

    Raises:
        ValueError: if it is not Ready yet.
    """
    if replica.ready_at_s is None:
        raise ValueError(f"replica {replica.name} is not Ready; allowed: one whose cold start is over")
    return replica.ready_at_s - replica.created_at_s


def _by_variant(rows: Iterable[tuple[str, str, float, ColdStartStages | None]]) -> dict[str, dict[str, ColdStart]]:
    measured: dict[str, dict[str, list[tuple[float, ColdStartStages | None]]]] = defaultdict(lambda: defaultdict(list))
    for target, variant, seconds, stages in rows:
        measured[target][variant].append((seconds, stages))
    return {
        target: {variant: summarise(*zip(*found, strict=True)) for variant, found in variants.items()}
        for target, variants in measured.items()
    }


_HISTORY_COLUMNS = (
    ("requests_per_s", "rate"),
    ("input_tokens_per_s", "tokens_in"),
    ("output_tokens_per_s", "tokens_out"),
)
"""Quantities of a load history, and the query's names of them."""


def _series(rows: Sequence[Row[tuple[int, float, float, float]]]) -> dict[str, Series]:
    if not rows:
        return {}
    first, count = rows[0].number, rows[-1].number - rows[0].number + 1
    columns: dict[str, list[float | None]] = {}
    for name, label in (
        ("requests_per_s", "rate"),
        ("input_tokens_per_s", "tokens_in"),
        ("output_tokens_per_s", "tokens_out"),
    ):
        column: list[float | None] = [None] * count
        for row in rows:
            column[row.number - first] = getattr(row, label)
        columns[name] = column
    return {name: Series(first * BIN_S, BIN_S, tuple(column)) for name, column in columns.items()}


class MemoryLedger:
    """`Ledger` in memory; set `away` to make it unavailable."""

    def __init__(self) -> None:
        self.away = False
        self.ticks: dict[str, Tick] = {}
        self.forecasts: list[Forecast] = []
        self.mirrored: dict[str, Target] = {}
        self.fitted: dict[str, Fit] = {}
        self._cold_starts: dict[tuple[str, str], Replica] = {}

    def append(self, new: Sequence[Tick]) -> None:
        """As `PostgresLedger.append`."""
        self._answer()
        for tick in new:
            self.ticks.setdefault(tick.id, tick)

    def save_forecasts(self, new: Sequence[Forecast]) -> None:
        """As `PostgresLedger.save_forecasts`."""
        self._answer()
        known = {(f.target, f.made_at_s) for f in self.forecasts}
        self.forecasts.extend(f for f in new if (f.target, f.made_at_s) not in known)

    def save_targets(self, seen: Sequence[Target], now_s: float) -> None:  # noqa: ARG002 (the port's)
        """As `PostgresLedger.save_targets`."""
        self._answer()
        self.mirrored.update((target.key, target) for target in seen)

    def save_cold_start(self, target: str, replica: Replica) -> None:
        """As `PostgresLedger.save_cold_start`."""
        self._answer()
        self._cold_starts.setdefault((target, replica.name), replica)

    def save_fit(self, fit: Fit) -> None:
        """As `PostgresLedger.save_fit`."""
        self._answer()
        self.fitted[fit.target] = fit

    def targets(self) -> list[Target]:
        """As `PostgresLedger.targets`."""
        self._answer()
        return [self.mirrored[key] for key in sorted(self.mirrored)]

    def cold_starts(self) -> dict[str, dict[str, ColdStart]]:
        """As `PostgresLedger.cold_starts`."""
        self._answer()
        kept = self._cold_starts.items()
        return _by_variant((target, r.variant, cold_seconds(r), r.stages) for (target, _), r in kept)

    def last_ticks(self) -> dict[str, Tick]:
        """As `PostgresLedger.last_ticks`."""
        self._answer()
        ordered = sorted(self.ticks.values(), key=lambda tick: tick.at_s)
        return {tick.inputs.target.key: tick for tick in ordered}

    def load_history(self, target: str, since_s: float) -> dict[str, Series]:
        """As `PostgresLedger.load_history`."""
        self._answer()
        bins: dict[int, list[tuple[float, float, float]]] = defaultdict(list)
        for tick in self.ticks.values():
            load = tick.inputs.observation.load
            if tick.inputs.target.key == target and tick.at_s >= since_s and load is not None:
                rate = load.requests_per_s
                row = (rate, rate * load.input_tokens, rate * load.output_tokens)
                bins[math.floor(tick.at_s / BIN_S)].append(row)
        if not bins:
            return {}
        numbers = range(min(bins), max(bins) + 1)
        names = ("requests_per_s", "input_tokens_per_s", "output_tokens_per_s")
        return {
            name: Series(
                numbers[0] * BIN_S,
                BIN_S,
                tuple(float(np.mean([r[place] for r in bins[n]])) if n in bins else None for n in numbers),
            )
            for place, name in enumerate(names)
        }

    def fits(self) -> dict[str, Fit]:
        """As `PostgresLedger.fits`."""
        self._answer()
        return dict(self.fitted)

    def group_ticks(self, since_s: float | None = None) -> Iterator[list[Tick]]:
        """As `PostgresLedger.group_ticks`."""
        self._answer()
        together: dict[str, list[Tick]] = defaultdict(list)
        for tick in sorted(self.ticks.values(), key=lambda t: (t.at_s, t.group_tick_id)):
            if since_s is None or tick.at_s >= since_s:
                together[tick.group_tick_id].append(tick)
        yield from together.values()

    def _answer(self) -> None:
        if self.away:
            raise LedgerUnavailable("the ledger is away on purpose")
