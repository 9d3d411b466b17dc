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
from controlplane.domain.decision import ActuationResult, Tick
from controlplane.domain.observation import Fault, Observation
from controlplane.domain.ports import Clock
from controlplane.domain.target import Target, Variant
from controlplane.observing.gauges import kv_usage, running, waiting
from controlplane.planning import sentences
from controlplane.store.codec import spent_usd_per_hour
from controlplane.store.lines import ChartPage, TickLine
from controlplane.store.queries import TargetRow


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
        waiting=waiting(observation) if observation else None,
        running=running(observation) if observation else None,
        kv_usage=kv_usage(observation) if observation else None,
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


def target_series(target: Target, found: ChartPage) -> TargetSeries:
    """Columns for the charts."""
    lines, charts = found.lines, found.charts
    return TargetSeries(
        target=target.key,
        slo=target.policy.slo,
        at_s=tuple(line.at_s for line in lines),
        requests_per_s=tuple(line.requests_per_s for line in lines),
        planned_requests_per_s=tuple(c.planned_requests_per_s for c in charts),
        forecast_at_s=tuple(c.forecast_at_s for c in charts),
        forecast_p10=tuple(c.forecast_p10 for c in charts),
        forecast_p50=tuple(c.forecast_p50 for c in charts),
        forecast_p90=tuple(c.forecast_p90 for c in charts),
        waiting=tuple(c.waiting for c in charts),
        running=tuple(c.running for c in charts),
        kv_usage=tuple(c.kv_usage for c in charts),
        ttft_p50_s=tuple(c.ttft_p50_s for c in charts),
        ttft_p99_s=tuple(c.ttft_p99_s for c in charts),
        tpot_p50_s=tuple(c.tpot_p50_s for c in charts),
        tpot_p99_s=tuple(c.tpot_p99_s for c in charts),
        attainment=tuple(line.attainment for line in lines),
        usd_per_hour=tuple(line.usd_per_hour for line in lines),
        verdict=tuple(line.verdict for line in lines),
        tick_id=tuple(line.id for line in lines),
        variants=tuple(_variant_series(v, lines) for v in target.variants),
    )


def _variant_series(variant: Variant, lines: Sequence[TickLine]) -> VariantSeries:
    seen = [line.fleet.get(variant.name) for line in lines]
    return VariantSeries(
        name=variant.name,
        role=variant.role,
        accelerator=variant.accelerator,
        desired=tuple(v.wanted if v else None for v in seen),
        ready=tuple(v.ready if v else None for v in seen),
        pending=tuple(v.pending if v else None for v in seen),
        cold_start_s=tuple(v.cold_start_s if v else None for v in seen),
    )
