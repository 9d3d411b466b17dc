"""A trace through the fleet simulator under a policy, in virtual time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from controlplane.domain.observation import Inventory, Replica, Sample
from controlplane.simulation.fleet import Fleet
from controlplane.simulation.meters import Percentiles
from controlplane.simulation.scenario import Scenario, load_scenario
from controlplane.simulation.traffic import Trace, read_trace

START_S = 1_767_600_000.0
"""Virtual time of a backtest's first request: 2026-01-05 08:00 UTC, a Monday morning."""
DRAIN_LIMIT_S = 1800.0
"""How long after the last arrival the fleet plays on so that what is under way can end. Not counted as cost."""


class FleetView(Protocol):
    """What a policy may see of the fleet: what scraping and watching would tell it."""

    now_s: float

    def samples(self, target: str) -> Sequence[Sample]:
        """Samples of the Ready replicas."""
        ...

    def replicas(self, target: str) -> Sequence[Replica]:
        """Every replica."""
        ...

    def desired(self, target: str) -> Mapping[str, int]:
        """Replicas wanted by variant."""
        ...

    def inventory(self) -> Inventory:
        """GPUs that there are."""
        ...


class Policy(Protocol):
    """A one-method port: what the fleet looks like in, replicas by target key and variant out."""

    name: str
    interval_s: float

    def step(self, view: FleetView) -> Mapping[str, Mapping[str, int]]:
        """Replicas to want from now on; a variant that is not named keeps what it has."""
        ...


@dataclass(frozen=True, slots=True)
class VariantResult:
    """One variant over the trace."""

    gpu_hours: float
    cost_usd: float
    peak_replicas: int


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """A backtest's outcome. `attainment` is requests that met TTFT and TPOT over all that arrived; `goodput_rps` is the
    same number over the trace's length. GPU-hours and dollars are from the first arrival to the last."""

    policy: str
    requests: int
    finished: int
    rejected: int
    in_system: int
    attainment: float
    goodput_rps: float
    gpu_hours: float
    cost_usd: float
    ttft_s: Percentiles
    tpot_s: Percentiles
    scale_ups: int
    scale_downs: int
    variants: Mapping[str, VariantResult]
    wall_s: float

    def to_json(self) -> str:
        """The result as a JSON object, indented."""
        return json.dumps(asdict(self), indent=2)


def backtest(
    trace: Path,
    scenario: str,
    rate_scale: float,
    policy: Callable[[Scenario], Policy],
    progress: Callable[[float], None],
    stopwatch: Callable[[], float],
) -> BacktestResult:
    """Read both, play, measure. `progress` hears shares from 0 to 1; `stopwatch` gives real seconds.

    Raises:
        TraceError, ScenarioError: if either cannot be read.
    """
    began_s = stopwatch()
    chosen = load_scenario(scenario)
    played = read_trace(trace).scaled(rate_scale)
    return play(chosen, played, policy(chosen), progress, lambda: stopwatch() - began_s)


def play(
    scenario: Scenario,
    trace: Trace,
    policy: Policy,
    progress: Callable[[float], None],
    wall_s: Callable[[], float],
) -> BacktestResult:
    """Play the whole trace under the policy, then let the fleet drain."""
    traffic = scenario.played(trace, START_S)
    fleet = Fleet(
        scenario.workloads, traffic, scenario.inventory, START_S, scenario.seed, stock_outs=scenario.stock_outs
    )
    end_s = START_S + trace.duration_s
    while fleet.now_s < end_s:
        apply(fleet, scenario, policy.step(fleet))
        fleet.advance(min(fleet.now_s + policy.interval_s, end_s))
        progress((fleet.now_s - START_S) / trace.duration_s)
    spent = _spent(fleet, scenario)
    _drain(fleet, scenario, policy, end_s)
    return _result(fleet, scenario, policy.name, trace.duration_s, spent, wall_s())


def apply(fleet: Fleet, scenario: Scenario, wanted: Mapping[str, Mapping[str, int]]) -> None:
    for workload in scenario.workloads:
        replicas = wanted.get(workload.target.key, {}).get(workload.variant.name)
        if replicas is not None and replicas != fleet.replicas_wanted(workload.key):
            fleet.set_replicas(workload.key, replicas, _idlest(fleet, workload.target.key, workload.variant.name))


def _idlest(fleet: FleetView, target: str, variant: str) -> list[str]:
    """A variant's Ready replicas, those with the fewest requests first: pod-deletion-cost does this in a cluster."""
    of_variant = (s for s in fleet.samples(target) if s.variant == variant)
    return [s.replica for s in sorted(of_variant, key=lambda s: (s.running or 0.0) + (s.waiting or 0.0))]


def _drain(fleet: Fleet, scenario: Scenario, policy: Policy, end_s: float) -> None:
    def left() -> int:
        return sum(fleet.request_meter(target.key).in_system for target in scenario.targets)

    while left() and fleet.now_s < end_s + DRAIN_LIMIT_S:
        apply(fleet, scenario, policy.step(fleet))
        fleet.advance(fleet.now_s + policy.interval_s)


@dataclass(frozen=True, slots=True)
class _Spent:
    variants: dict[str, VariantResult]
    scale_ups: int
    scale_downs: int


def _spent(fleet: Fleet, scenario: Scenario) -> _Spent:
    # A trace is the first target's: the others have no load, and their cost is not its.
    meters = {w.variant.name: fleet.meters[w.key] for w in scenario.workloads if w.target is scenario.targets[0]}
    return _Spent(
        variants={n: VariantResult(m.gpu_hours, m.cost_usd, m.peak_replicas) for n, m in meters.items()},
        scale_ups=sum(m.scale_ups for m in meters.values()),
        scale_downs=sum(m.scale_downs for m in meters.values()),
    )


def _result(
    fleet: Fleet, scenario: Scenario, policy: str, duration_s: float, spent: _Spent, wall_s: float
) -> BacktestResult:
    meter = fleet.request_meter(scenario.targets[0].key)
    return BacktestResult(
        policy=policy,
        requests=meter.arrived,
        finished=meter.finished,
        rejected=meter.rejected,
        in_system=meter.in_system,
        attainment=meter.met / meter.arrived if meter.arrived else 1.0,
        goodput_rps=meter.met / duration_s,
        gpu_hours=sum(v.gpu_hours for v in spent.variants.values()),
        cost_usd=sum(v.cost_usd for v in spent.variants.values()),
        ttft_s=Percentiles.of(meter.ttft_s),
        tpot_s=Percentiles.of(meter.tpot_s),
        scale_ups=spent.scale_ups,
        scale_downs=spent.scale_downs,
        variants=spent.variants,
        wall_s=wall_s,
    )
