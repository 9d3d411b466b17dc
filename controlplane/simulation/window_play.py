"""A recorded window through the fleet simulator under a policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from controlplane.simulation.backtest import DRAIN_LIMIT_S, Policy, apply
from controlplane.simulation.comparison import Run, Timeline, Watched, usd
from controlplane.simulation.fleet import Fleet
from controlplane.simulation.recorded import RecordedTraffic
from controlplane.simulation.scenario import Scenario

POINTS = 500
"""Of a timeline: more are not told apart on a chart."""


@dataclass(frozen=True, slots=True)
class _Spent:
    """What a fleet has taken so far."""

    gpu_hours: float = 0.0
    cost_usd: float = 0.0
    ups: int = 0
    downs: int = 0

    @classmethod
    def of(cls, fleet: Fleet) -> _Spent:
        meters = fleet.meters.values()
        return cls(
            sum(m.gpu_hours for m in meters),
            sum(m.cost_usd for m in meters),
            sum(m.scale_ups for m in meters),
            sum(m.scale_downs for m in meters),
        )

    def plus(self, now: _Spent, before: _Spent) -> _Spent:
        """This and what was taken from `before` to `now`."""
        return _Spent(
            self.gpu_hours + now.gpu_hours - before.gpu_hours,
            self.cost_usd + now.cost_usd - before.cost_usd,
            self.ups + now.ups - before.ups,
            self.downs + now.downs - before.downs,
        )


@dataclass(slots=True)
class _Line:
    """The columns of a timeline, as they grow."""

    every_s: float
    next_s: float
    ended: int = 0
    met: int = 0
    at_s: list[float] = field(default_factory=list)
    rates: list[float | None] = field(default_factory=list)
    shares: list[float | None] = field(default_factory=list)
    usd: list[float] = field(default_factory=list)
    replicas: dict[str, list[int]] = field(default_factory=dict)

    def note(self, fleet: Fleet, scenario: Scenario, traffic: RecordedTraffic) -> None:
        if fleet.now_s < self.next_s:
            return
        self.next_s = fleet.now_s + self.every_s
        meter, load = fleet.request_meter(scenario.targets[0].key), traffic.load_at(fleet.now_s)
        ended, met = meter.finished + meter.rejected - self.ended, meter.met - self.met
        self.ended, self.met = meter.finished + meter.rejected, meter.met
        self.at_s.append(fleet.now_s)
        self.rates.append(None if load is None else load.requests_per_s * traffic.factor)
        self.shares.append(met / ended if ended else None)
        self.usd.append(sum(m.placed * m.usd_per_replica_hour for m in fleet.meters.values()))
        for workload in scenario.workloads:
            wanted = self.replicas.setdefault(workload.variant.name, [])
            wanted.append(fleet.replicas_wanted(workload.key))

    def timeline(self) -> Timeline:
        replicas = {name: tuple(counts) for name, counts in self.replicas.items()}
        return Timeline(tuple(self.at_s), tuple(self.rates), tuple(self.shares), tuple(self.usd), replicas)


def play_window(
    scenario: Scenario,
    traffic: RecordedTraffic,
    since_s: float,
    until_s: float,
    policy: Policy,
    watched: Watched,
    heard: Callable[[float], None],
) -> Run:
    """Play `[since_s, until_s)` in the times that were recorded, so that schedules and overrides hold as they did. The
    traffic must end with the window. GPU-hours, dollars and changes count where something was recorded beside which
    they can be held.

    `heard` is told the share that is played, after each of the policy's intervals; what it raises ends the play.
    """
    key = scenario.targets[0].key
    fleet = Fleet(
        scenario.workloads, {key: traffic}, scenario.inventory, since_s, scenario.seed, stock_outs=scenario.stock_outs
    )
    line = _Line((until_s - since_s) / POINTS, since_s)
    spent, watched_s = _Spent(), 0.0
    while fleet.now_s < until_s:
        began_s, before = fleet.now_s, _Spent.of(fleet)
        apply(fleet, scenario, policy.step(fleet))
        line.note(fleet, scenario, traffic)
        fleet.advance(min(fleet.now_s + policy.interval_s, until_s))
        if watched.at(began_s):
            spent, watched_s = spent.plus(_Spent.of(fleet), before), watched_s + fleet.now_s - began_s
        heard((fleet.now_s - since_s) / (until_s - since_s))
    _drain(fleet, key, until_s, policy.interval_s)
    meter = fleet.request_meter(key)
    return Run(
        policy=policy.name,
        simulated=True,
        requests=meter.arrived,
        attainment=meter.met / meter.arrived if meter.arrived else None,
        goodput_rps=meter.met / watched_s if watched_s else None,
        gpu_hours=spent.gpu_hours,
        cost_usd=usd(spent.cost_usd),
        scale_ups=spent.ups,
        scale_downs=spent.downs,
        timeline=line.timeline(),
    )


def _drain(fleet: Fleet, key: str, until_s: float, interval_s: float) -> None:
    """What is under way may end; nothing is scaled any more, and nothing is counted as cost."""
    while fleet.request_meter(key).in_system and fleet.now_s < until_s + DRAIN_LIMIT_S:
        fleet.advance(fleet.now_s + interval_s)
