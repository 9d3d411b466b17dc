"""Tidegate as the simulator's scaling policy: the same stepper that the controller and the backtests drive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from controlplane.domain.decision import ColdStart, ScaleEvent
from controlplane.domain.observation import Inventory, Replica, ReplicaPhase
from controlplane.domain.target import Target
from controlplane.planning.cold_start_log import ColdStartLog
from controlplane.planning.cold_starts import default_cold_start
from controlplane.planning.stepper import GroupStepper, Step, TargetView, horizon
from controlplane.simulation.nvidia.meters import FleetMeter
from controlplane.simulation.nvidia.snapshot import MS, Snapshot, read_snapshot

START_S = 1_767_600_000.0
"""Unix time of the simulator's zero: 2026-01-05 08:00 UTC, where backtests begin as well."""
REFIT_S = 600.0
"""Seconds between fits of the forecasters, as in backtests."""


class ScalingPolicy(Protocol):
    """What the simulator calls: times are milliseconds of its clock."""

    def initial_tick_ms(self) -> float:
        """When to be asked first."""
        ...

    def on_tick(self, snapshot: Mapping[str, Any]) -> Mapping[str, float | int | None]:
        """`target_prefill`, `target_decode` (None: as it is) and `next_tick_ms`."""
        ...


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """What was seen and wanted at one tick. None: not known then."""

    at_s: float
    offered_rps: float
    observed_rps: float | None
    forecast_p50_rps: float | None
    forecast_rps: float | None
    """At the policy's quantile."""
    demand_rps: float | None
    capacity_rps: float | None
    """Of one replica."""
    calibration: float | None
    ready: int
    starting: int
    desired: int
    in_system: float
    waiting: float
    ttft_s: float | None
    tpot_s: float | None
    reason: str


class TidegateInNvidia:
    """Steps one target of one variant with role Both. `kv_tokens` is the cache of one worker."""

    def __init__(self, target: Target, kv_tokens: float) -> None:
        if len(target.variants) != 1:
            raise ValueError(f"target {target.key} has {len(target.variants)} variants; allowed: 1")
        self._target, self._variant = target, target.variants[0]
        self._stepper = GroupStepper(target.group)
        self._meter = FleetMeter(self._variant.name, kv_tokens)
        self._cold_starts = ColdStartLog()
        self._created: dict[int, float] = {}
        self._ready: dict[int, float] = {}
        self._refit_at_s = START_S
        self._desired: int | None = None
        self.timeline: list[TimelineRow] = []
        self.events: list[ScaleEvent] = []

    def initial_tick_ms(self) -> float:
        """One interval after the start."""
        return self._target.policy.interval_s * MS

    def on_tick(self, snapshot: Mapping[str, Any]) -> Mapping[str, float | int | None]:
        """See `ScalingPolicy`. Never stops asking: the simulator ends when its last request has."""
        seen = _in_unix_time(read_snapshot(snapshot))
        step = self._stepper.step(seen.now_s, [self._view(seen)], Inventory())
        self._refit(seen.now_s)
        wanted = step.outcome.decisions[0].desired[self._variant.name]
        before = len(seen.active) + len(seen.starting)
        if wanted != before:
            self.events.append(ScaleEvent(seen.now_s - START_S, self._variant.name, wanted - before))
        self._desired = wanted
        self.timeline.append(_row(seen, step, wanted))
        next_ms = (seen.now_s - START_S + self._target.policy.interval_s) * MS
        return {"target_prefill": None, "target_decode": wanted, "next_tick_ms": next_ms}

    def cold_starts(self) -> dict[str, ColdStart]:
        """Those measured so far, by variant."""
        return self._cold_starts.measured()

    def _view(self, seen: Snapshot) -> TargetView:
        replicas = self._replicas(seen)
        self._cold_starts.note(replicas)
        samples = self._meter.samples(seen, self._variant.name)
        desired = self._desired if self._desired is not None else len(seen.active) + len(seen.starting)
        measured = self._cold_starts.measured()
        return TargetView(self._target, {self._variant.name: desired}, replicas, samples, measured)

    def _replicas(self, seen: Snapshot) -> list[Replica]:
        first = not self._created
        for worker in (*seen.starting, *seen.active):
            # A worker starts in the very tick that asks for it, one interval before it is first seen.
            self._created.setdefault(worker, START_S if first else seen.now_s - self._target.policy.interval_s)
        for worker in seen.active:
            self._ready.setdefault(worker, START_S if first else seen.now_s)
        phases = (
            (ReplicaPhase.READY, seen.active),
            (ReplicaPhase.PENDING, seen.starting),
            (ReplicaPhase.TERMINATING, seen.draining),
        )
        return [self._replica(worker, phase) for phase, workers in phases for worker in workers]

    def _replica(self, worker: int, phase: ReplicaPhase) -> Replica:
        ready_at_s = self._ready.get(worker) if phase is ReplicaPhase.READY else None
        name = f"{self._variant.name}-{worker}"
        return Replica(name, self._variant.name, phase, self._created.get(worker, START_S), ready_at_s)

    def _refit(self, now_s: float) -> None:
        if now_s < self._refit_at_s:
            return
        self._refit_at_s = now_s + REFIT_S
        measured = self._cold_starts.measured().get(self._variant.name)
        starts = {self._variant.name: measured or default_cold_start(self._target, self._variant)}
        self._stepper.refit(self._target.key, now_s, horizon(self._target, starts))


def _in_unix_time(seen: Snapshot) -> Snapshot:
    return Snapshot(seen.now_s + START_S, seen.passes, seen.active, seen.starting, seen.draining, seen.traffic)


def _row(seen: Snapshot, step: Step, wanted: int) -> TimelineRow:
    inputs, plan = step.inputs.targets[0], step.outcome.plans[0]
    load, forecast = inputs.observation.load, inputs.forecast
    capacity = plan.capacities[0] if plan.capacities else None
    rates = forecast.requests_per_s if forecast else None
    passes = [p for w, p in seen.passes.items() if w in seen.active]
    return TimelineRow(
        at_s=seen.now_s - START_S,
        offered_rps=seen.traffic.arrived / seen.traffic.seconds,
        observed_rps=load.requests_per_s if load else None,
        forecast_p50_rps=rates.peak_at(0.5) if rates else None,
        forecast_rps=rates.peak_at(inputs.target.policy.forecast_quantile) if rates else None,
        demand_rps=plan.demand.requests_per_s if plan.demand else None,
        capacity_rps=capacity.requests_per_s if capacity else None,
        calibration=capacity.calibration if capacity else None,
        ready=len(seen.active),
        starting=len(seen.starting),
        desired=wanted,
        in_system=float(sum(p.running + p.queued for p in passes)),
        waiting=float(sum(p.queued for p in passes)),
        ttft_s=seen.traffic.ttft_s,
        tpot_s=seen.traffic.itl_s,
        reason=step.outcome.decisions[0].reason,
    )
