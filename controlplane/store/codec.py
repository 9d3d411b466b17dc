"""Domain values <-> JSON, by pydantic's TypeAdapter. Floats travel as JSON numbers and come back the same."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from controlplane.domain.decision import Forecast, Tick
from controlplane.domain.ports import Fit
from controlplane.domain.target import Policy, Target

TICK = TypeAdapter(Tick)
TARGET = TypeAdapter(Target)
POLICY = TypeAdapter(Policy)
FORECAST = TypeAdapter(Forecast)
FIT = TypeAdapter(Fit)


def tick_row(tick: Tick) -> dict[str, Any]:
    """The columns of one tick."""
    observation, demand = tick.inputs.observation, tick.plan.demand
    return {
        "id": tick.id,
        "group_tick_id": tick.group_tick_id,
        "group": tick.group,
        "target": tick.inputs.target.key,
        "at": timestamp(tick.at_s),
        "verdict": tick.decision.verdict.value,
        "reason": tick.decision.reason,
        "planner_version": tick.planner_version,
        "requests_per_s": observation.load.requests_per_s if observation.load else None,
        "planned_requests_per_s": demand.requests_per_s if demand else None,
        "attainment": observation.attainment,
        "usd_per_hour": spent_usd_per_hour(tick),
        "applied": any(a.result == "applied" for a in tick.actuations),
        "body": TICK.dump_python(tick, mode="json"),
    }


def spent_usd_per_hour(tick: Tick) -> float:
    """Dollars an hour of the replicas that existed at a tick, whatever state they were in."""
    prices = {v.name: v.usd_per_replica_hour for v in tick.inputs.target.variants}
    return sum(
        prices[v.variant] * (v.ready + v.pending + v.terminating + v.failed) for v in tick.inputs.observation.variants
    )


def timestamp(at_s: float) -> datetime:
    """Unix seconds as an aware datetime, UTC."""
    return datetime.fromtimestamp(at_s, UTC)
