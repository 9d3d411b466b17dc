"""What savings are counted against: the newest replay of a target under another policy, or a fleet that was stated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.dialects.postgresql import distinct_on

from controlplane.domain.jobs import JobKind, JobStatus
from controlplane.domain.target import Target
from controlplane.store.engine import transaction
from controlplane.store.tables import jobs, settings

SETTING = "report_baseline"
"""`{"namespace/name": {"variant": replicas}}`: a fleet that would have stood all the time."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Of one target: what it would have cost, as a multiple of what it did, or in $/h; and whose word that is."""

    source: str
    times_cost: Decimal | None = None
    usd_per_hour: Decimal | None = None

    def cost(self, cost_usd: Decimal, hours: Decimal) -> Decimal:
        """Dollars that the baseline would have cost where `cost_usd` were spent in so many hours."""
        if self.times_cost is not None:
            return cost_usd * self.times_cost
        return (self.usd_per_hour or Decimal(0)) * hours


def baselines(engine: Engine, targets: Sequence[Target]) -> dict[str, Baseline]:
    """By target key; a target without either is absent. A stated fleet comes before a replay."""
    with transaction(engine) as connection:
        stated = connection.execute(select(settings.c.value).where(settings.c.name == SETTING)).scalar() or {}
        name = jobs.c.request["target"].astext
        newest = (
            select(name.label("target"), jobs.c.id, jobs.c.result["runs"].label("runs"))
            .ext(distinct_on(name))
            .where(
                jobs.c.kind == JobKind.REPLAY.value,
                jobs.c.status == JobStatus.SUCCEEDED.value,
                jobs.c.request["policy"].astext != "live",
                name.in_([target.key for target in targets]),
            )
            .order_by(name, jobs.c.finished_at.desc())
        )
        replays = {row.target: _of_replay(str(row.id), row.runs) for row in connection.execute(newest)}
    found = {key: one for key, one in replays.items() if one is not None}
    found |= {t.key: _of_fleet(t, stated[t.key]) for t in targets if t.key in stated}
    return found


def _of_replay(job_id: str, runs: Sequence[Any]) -> Baseline | None:
    other, live = Decimal(runs[0]["cost_usd"]), Decimal(runs[-1]["cost_usd"])
    if live <= 0:
        return None
    times = other / live
    return Baseline(f"replay {job_id}: {runs[0]['policy']} cost {times:.3f} x the live policy", times_cost=times)


def _of_fleet(target: Target, fleet: dict[str, int]) -> Baseline:
    prices = {v.name: Decimal(repr(v.usd_per_replica_hour)) for v in target.variants}
    usd_per_hour = sum((prices.get(name, Decimal(0)) * count for name, count in fleet.items()), Decimal(0))
    words = " + ".join(f"{count} {name}" for name, count in fleet.items())
    return Baseline(f"stated fleet: {words}, always", usd_per_hour=usd_per_hour)
