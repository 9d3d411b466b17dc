"""`Ledger` in PostgreSQL, and its fake in memory."""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Engine, Integer, Select, cast, func, select, true
from sqlalchemy.dialects.postgresql import distinct_on, insert

from controlplane.domain.decision import ColdStart, Tick
from controlplane.domain.observation import ColdStartStages, Replica
from controlplane.domain.ports import Fit, LedgerUnavailable
from controlplane.domain.target import Target
from controlplane.planning.cold_starts import summarise
from controlplane.planning.load_history import BIN_S
from controlplane.store.codec import FIT, POLICY, TARGET, timestamp
from controlplane.store.engine import make_engine, transaction
from controlplane.store.lines import target_number
from controlplane.store.tables import cold_start_samples, fits, policies, targets, tick_rows, tick_targets
from controlplane.store.tick_reader import LINKS, TickReader
from controlplane.store.tick_writer import TickWriter
from forecasters.types import Series

CHANNEL = "tidegate_ticks"
"""PostgreSQL's NOTIFY channel on which a commit of ticks is told."""
COLD_STARTS_KEPT = 50
"""Newest cold starts per variant that the percentiles are of: images and models change."""


class PostgresLedger:
    """See `Ledger`. Every method is one transaction."""

    def __init__(self, url: str) -> None:
        self._engine = make_engine(url)
        self._writer = TickWriter()
        self._reader = TickReader()

    @property
    def engine(self) -> Engine:
        """The engine underneath, for queries of the read side."""
        return self._engine

    def append(self, new: Sequence[Tick]) -> None:
        """Insert ticks that are not there yet, and tell those who listen."""
        if not new:
            return
        try:
            with transaction(self._engine) as connection:
                self._writer.write(connection, new)
                connection.execute(select(func.pg_notify(CHANNEL, new[-1].id)))
        except BaseException:
            self._writer.forget()
            raise

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
        with transaction(self._engine) as connection:
            found = self._reader.newest(connection, connection.execute(newest_rows()).all())
        return {tick.inputs.target.key: tick for tick in found}

    def load_history(self, target: str, since_s: float) -> dict[str, Series]:
        """The observed load in 60 s bins by quantity; empty where there is none."""
        rate, row = tick_rows.c.requests_per_s, tick_rows.c
        number = cast(func.floor(func.extract("epoch", row.at) / BIN_S), Integer)
        grouped = (
            select(
                number.label("number"),
                func.avg(rate).label("rate"),
                func.avg(rate * row.input_tokens).label("tokens_in"),
                func.avg(rate * row.output_tokens).label("tokens_out"),
            )
            .where(row.target_id == target_number(target), row.at >= timestamp(since_s), rate.is_not(None))
            .group_by(number)
            .order_by(number)
        )
        with transaction(self._engine) as connection:
            rows = connection.execute(grouped).all()
        return _series({row.number: (row.rate, row.tokens_in, row.tokens_out) for row in rows})

    def fits(self) -> dict[str, Fit]:
        """The newest fit of each target."""
        newest = select(fits.c.target, fits.c.body).ext(distinct_on(fits.c.target))
        ordered = newest.order_by(fits.c.target, fits.c.fitted_at.desc(), fits.c.id.desc())
        with transaction(self._engine) as connection:
            rows = connection.execute(ordered).all()
        return {row.target: FIT.validate_python(row.body) for row in rows}

    def group_ticks(self, since_s: float | None = None) -> Iterator[list[Tick]]:
        """Ticks that were decided together, oldest first; read in pieces, so that any history fits."""
        statement = select(*LINKS).order_by(tick_rows.c.at, func.tick_group_id(tick_rows.c.ids), tick_rows.c.sequence)
        if since_s is not None:
            statement = statement.where(tick_rows.c.at >= timestamp(since_s))
        together: list[Tick] = []
        # Chains that began before are read beside the stream: on a connection of their own.
        with transaction(self._engine) as connection, transaction(self._engine) as beside:
            streamed = connection.execution_options(yield_per=200, stream_results=True).execute(statement)
            for _, tick in self._reader.in_order(beside, iter(streamed)):
                if together and together[0].group_tick_id != tick.group_tick_id:
                    yield together
                    together = []
                together.append(tick)
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


def newest_rows(only: str | None = None) -> Select[Any]:
    """The newest row of each target that ever ticked, or of one alone: one step down an index for each."""
    one = (
        select(*LINKS)
        .where(tick_rows.c.target_id == tick_targets.c.id)
        .order_by(tick_rows.c.at.desc(), tick_rows.c.sequence.desc())
        .limit(1)
        .lateral("newest")
    )
    found = select(*(one.c[column.name] for column in LINKS)).select_from(tick_targets.join(one, true()))
    return found if only is None else found.where(tick_targets.c.key == only)


_Bin = tuple[float, float, float]


def _series(bins: Mapping[int, _Bin]) -> dict[str, Series]:
    """Requests, input and output tokens a second, by the number of their bin."""
    if not bins:
        return {}
    numbers = range(min(bins), max(bins) + 1)
    return {
        name: Series(numbers[0] * BIN_S, BIN_S, tuple(float(bins[n][place]) if n in bins else None for n in numbers))
        for place, name in enumerate(("requests_per_s", "input_tokens_per_s", "output_tokens_per_s"))
    }


class MemoryLedger:
    """`Ledger` in memory; set `away` to make it unavailable."""

    def __init__(self) -> None:
        self.away = False
        self.ticks: dict[str, Tick] = {}
        self.mirrored: dict[str, Target] = {}
        self.fitted: dict[str, Fit] = {}
        self._cold_starts: dict[tuple[str, str], Replica] = {}

    def append(self, new: Sequence[Tick]) -> None:
        """As `PostgresLedger.append`."""
        self._answer()
        for tick in new:
            self.ticks.setdefault(tick.id, tick)

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
        bins: dict[int, list[_Bin]] = defaultdict(list)
        for tick in self.ticks.values():
            load = tick.inputs.observation.load
            if tick.inputs.target.key == target and tick.at_s >= since_s and load is not None:
                rate = load.requests_per_s
                row = (rate, rate * load.input_tokens, rate * load.output_tokens)
                bins[math.floor(tick.at_s / BIN_S)].append(row)
        means = {n: np.mean(rows, axis=0) for n, rows in bins.items()}
        return _series({n: (float(m[0]), float(m[1]), float(m[2])) for n, m in means.items()})

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
