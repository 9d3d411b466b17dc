"""Rows of the ledger -> what the API answers with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

from controlplane.api.views import (
    FaultCount,
    Fleet,
    FleetTotals,
    TargetSeries,
    TargetSummary,
    TickDetail,
    TickSummary,
    VariantSeries,
    VariantStatus,
)
from controlplane.domain.decision import ActuationResult, Forecast, Tick
from controlplane.domain.observation import Fault, LatencySummary, Observation
from controlplane.domain.ports import Clock
from controlplane.domain.target import Role, Target, Variant
from controlplane.planning import sentences
from controlplane.store.codec import spent_usd_per_hour
from controlplane.store.queries import TargetRow, TickLine


def fleet(rows: Sequence[TargetRow], clock: Clock) -> Fleet:
    """The fleet page."""
    summaries = tuple(target_summary(row) for row in rows)
    variants = [v for s in summaries for v in s.variants]
    met = [(s.attainment, s.requests_per_s) for s in summaries]
    weighed = [(share, rate) for share, rate in met if share is not None and rate]
    totals = FleetTotals(
        now_s=clock.now_s(),
        speed=clock.speed,
        newest_tick_at_s=max((s.at_s for s in summaries if s.at_s is not None), default=None),
        targets=len(summaries),
        requests_per_s=_known_sum(s.requests_per_s for s in summaries),
        ready=_known_sum(v.ready for v in variants),
        desired=_known_sum(v.desired for v in variants),
        usd_per_hour=_known_sum(s.usd_per_hour for s in summaries),
        attainment=sum(s * r for s, r in weighed) / sum(r for _, r in weighed) if weighed else None,
    )
    return Fleet(totals, summaries)


_Number = TypeVar("_Number", int, float)


def _known_sum(values: Iterable[_Number | None]) -> _Number | None:
    """The sum of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if known else None


def target_summary(row: TargetRow) -> TargetSummary:
    """A row of the fleet page."""
    target, tick = row.target, row.tick
    observation = tick.inputs.observation if tick else None
    load = observation.load if observation else None
    demand = tick.plan.demand if tick else None
    return TargetSummary(
        namespace=target.namespace,
        name=target.name,
        model=target.model,
        group=target.group,
        mode=target.policy.mode,
        slo=target.policy.slo,
        verdict=tick.decision.verdict if tick else None,
        reason=tick.decision.reason if tick else None,
        tick_id=tick.id if tick else None,
        at_s=tick.at_s if tick else None,
        requests_per_s=load.requests_per_s if load else None,
        forecast_requests_per_s=demand.requests_per_s if demand else None,
        waiting=_sum(observation, "waiting"),
        running=_sum(observation, "running"),
        kv_usage=kv_usage(observation),
        attainment=observation.attainment if observation else None,
        attainment_day=row.attainment_day,
        usd_per_hour=spent_usd_per_hour(tick) if tick else None,
        variants=tuple(_variant_status(v, tick) for v in target.variants),
        sparkline_rps=row.sparkline_rps,
        sparkline_usd_per_hour=row.sparkline_usd,
        coverage=observation.coverage if observation else None,
        tick_interval_s=target.policy.interval_s,
        faults=_fault_counts(observation),
        conflicts=_conflicts(tick),
    )


def _fault_counts(observation: Observation | None) -> tuple[FaultCount, ...]:
    """By kind, the most frequent first."""
    faults = observation.faults if observation else ()
    counts = Counter(fault.kind for fault in faults)
    examples = {fault.kind: fault for fault in reversed(faults)}
    return tuple(FaultCount(kind, count, _fault_words(examples[kind])) for kind, count in counts.most_common())


def _fault_words(fault: Fault) -> str:
    return ": ".join(part for part in (fault.replica, fault.metric, fault.detail) if part)


def _conflicts(tick: Tick | None) -> tuple[str, ...]:
    found = tick.inputs.surroundings.conflicts if tick else ()
    return tuple(f"{c.kind} {c.name} also scales {c.variant}" + (f": {c.detail}" if c.detail else "") for c in found)


def _variant_status(variant: Variant, tick: Tick | None) -> VariantStatus:
    seen = tick.inputs.observation.variant(variant.name) if tick else None
    rates = {c.variant: c.requests_per_s for c in tick.plan.capacities} if tick else {}
    start = tick.inputs.cold_starts.get(variant.name) if tick else None
    return VariantStatus(
        name=variant.name,
        role=variant.role,
        accelerator=variant.accelerator,
        gpus_per_replica=variant.gpus_per_replica,
        capacity_type=variant.capacity_type,
        usd_per_replica_hour=variant.usd_per_replica_hour,
        min_replicas=variant.min_replicas,
        max_replicas=variant.max_replicas,
        desired=wanted(tick, variant.name),
        ready=seen.ready if seen else None,
        pending=seen.pending if seen else None,
        capacity_rps=rates.get(variant.name),
        cold_start_s=start.p90_s if start else None,
        cold_start_stages=start.stages if start else None,
    )


def wanted(tick: Tick | None, variant: str) -> int | None:
    """What the cluster was told to want: the decision where it was applied, else what it wanted before."""
    if tick is None:
        return None
    for actuation in tick.actuations:
        if actuation.variant == variant and actuation.result is ActuationResult.APPLIED:
            return actuation.replicas_to
    return tick.decision.current.get(variant)


def tick_summary(line: TickLine) -> TickSummary:
    """A line in the list of decisions."""
    return TickSummary(
        id=line.id,
        target=line.target,
        at_s=line.at_s,
        verdict=line.verdict,
        reason=line.reason,
        current={name: counts.current for name, counts in line.fleet.items()},
        desired={name: counts.desired for name, counts in line.fleet.items()},
        requests_per_s=line.requests_per_s,
        attainment=line.attainment,
        usd_per_hour=line.usd_per_hour,
        applied=line.applied,
    )


def tick_detail(tick: Tick) -> TickDetail:
    """One decision whole."""
    return TickDetail(tick, sentences(tick))


def target_series(target: Target, ticks: Sequence[Tick]) -> TargetSeries:
    """Columns for the charts."""
    seen = [tick.inputs.observation for tick in ticks]
    forecasts = [tick.inputs.forecast for tick in ticks]
    demands = [tick.plan.demand for tick in ticks]
    fronts = {v.name for v in target.variants if v.role is not Role.DECODE}
    ttft = [_worst(o, fronts, "ttft") for o in seen]
    tpot = [_worst(o, {v.name for v in target.variants}, "tpot") for o in seen]
    return TargetSeries(
        target=target.key,
        slo=target.policy.slo,
        at_s=tuple(tick.at_s for tick in ticks),
        requests_per_s=tuple(o.load.requests_per_s if o.load else None for o in seen),
        planned_requests_per_s=tuple(d.requests_per_s if d else None for d in demands),
        forecast_at_s=tuple(f.made_at_s + f.horizon_s if f else None for f in forecasts),
        forecast_p10=tuple(_peak(f, 0.1) for f in forecasts),
        forecast_p50=tuple(_peak(f, 0.5) for f in forecasts),
        forecast_p90=tuple(_peak(f, 0.9) for f in forecasts),
        waiting=tuple(_sum(o, "waiting") for o in seen),
        running=tuple(_sum(o, "running") for o in seen),
        kv_usage=tuple(kv_usage(o) for o in seen),
        ttft_p50_s=tuple(s.p50_s if s else None for s in ttft),
        ttft_p99_s=tuple(s.p99_s if s else None for s in ttft),
        tpot_p50_s=tuple(s.p50_s if s else None for s in tpot),
        tpot_p99_s=tuple(s.p99_s if s else None for s in tpot),
        attainment=tuple(o.attainment for o in seen),
        usd_per_hour=tuple(spent_usd_per_hour(tick) for tick in ticks),
        verdict=tuple(tick.decision.verdict for tick in ticks),
        tick_id=tuple(tick.id for tick in ticks),
        variants=tuple(_variant_series(v, ticks) for v in target.variants),
    )


def _variant_series(variant: Variant, ticks: Sequence[Tick]) -> VariantSeries:
    seen = [tick.inputs.observation.variant(variant.name) for tick in ticks]
    return VariantSeries(
        name=variant.name,
        role=variant.role,
        accelerator=variant.accelerator,
        desired=tuple(wanted(tick, variant.name) for tick in ticks),
        ready=tuple(v.ready if v else None for v in seen),
        pending=tuple(v.pending if v else None for v in seen),
        cold_start_s=tuple(_cold_start_s(tick, variant.name) for tick in ticks),
    )


def _cold_start_s(tick: Tick, variant: str) -> float | None:
    start = tick.inputs.cold_starts.get(variant)
    return start.p90_s if start else None


def kv_usage(observation: Observation | None) -> float | None:
    """The fullest variant's mean share of KV cache in use."""
    known = [v.kv_usage_mean for v in observation.variants if v.kv_usage_mean is not None] if observation else []
    return max(known, default=None)


def _sum(observation: Observation | None, name: str) -> float | None:
    values = [getattr(v, name) for v in observation.variants] if observation else []
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _worst(observation: Observation, names: set[str], name: str) -> LatencySummary | None:
    """The slowest variant's summary: a user may be sent to any."""
    found: list[LatencySummary] = [
        summary for v in observation.variants if v.variant in names and (summary := getattr(v, name)) is not None
    ]
    return max(found, key=lambda s: s.p99_s, default=None)


def _peak(forecast: Forecast | None, level: float) -> float | None:
    return forecast.requests_per_s.peak_at(level) if forecast else None
