"""WVA as a policy: it decides every minute for a whole model, and an HPA of each variant carries it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from controlplane.domain.observation import Sample
from controlplane.domain.target import Role, ScalingPolicy, ScalingPolicyType, ScalingRules, Target
from controlplane.simulation.backtest import FleetView
from controlplane.simulation.lifecycle import Workload
from controlplane.simulation.peers.hpa import Behavior, average_value_proposal
from controlplane.simulation.peers.increase import PoolCounters
from controlplane.simulation.peers.signals import GaugeWindow
from controlplane.simulation.peers.workload import Bounds, Seen, see
from controlplane.simulation.peers.wva_v1 import ReplicaLoad, VariantState
from controlplane.simulation.peers.wva_v2 import Mix
from controlplane.simulation.scenario import Scenario

PEAK_WINDOW_S = 60.0
"""KV usage and queue are Prometheus' max_over_time[1m]."""
MIX_WINDOW_S = 300.0
"""Token means are rates over 5m."""
HPA_RULES = ScalingRules(120.0, (ScalingPolicy(ScalingPolicyType.PERCENT, 100, 15.0),))
"""scaleUp and scaleDown of the HPA in llm-d's guide to WVA: two minutes of agreement, then doubling or halving."""
COOLDOWN_S = 300.0
"""KEDA's cooldownPeriod before the last replica of a variant goes."""


@dataclass(frozen=True, slots=True)
class WvaSettings:
    """What both analyzers share."""

    interval_s: float = 60.0
    """GLOBAL_OPT_INTERVAL."""
    up: ScalingRules = HPA_RULES
    down: ScalingRules = HPA_RULES
    scrape_s: float = 15.0
    """Scrapes, and the HPA's sync."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What an analyzer is told of one target."""

    now_s: float
    roles: Mapping[Role, list[VariantState]]
    loads: list[ReplicaLoad]
    mix: Mix

    def loads_of(self, role: Role) -> list[ReplicaLoad]:
        """Loads of a role's replicas."""
        names = {v.name for v in self.roles[role]}
        return [load for load in self.loads if load.variant in names]


class Analyzer(Protocol):
    """A one-method port: which of a model's variants have how many replicas."""

    def decide(self, scene: Scene) -> dict[str, int]:
        """Replicas by variant."""
        ...


@dataclass(slots=True)
class _Actuator:
    """KEDA and its HPA of one variant: from nought and to nought by KEDA, between them by the HPA."""

    behavior: Behavior
    idle_since_s: float | None = None

    def step(self, seen: Seen, wanted: int) -> int:
        self.idle_since_s = None if wanted > 0 else self.idle_since_s if self.idle_since_s is not None else seen.now_s
        if seen.desired == 0:
            return min(1, wanted)
        if self.idle_since_s is not None and seen.now_s - self.idle_since_s >= COOLDOWN_S:
            return 0
        return self.behavior.step(seen.now_s, seen.desired, average_value_proposal(wanted, seen.desired, 1.0))


@dataclass(slots=True)
class _Model:
    """One target's WVA."""

    target: Target
    analyzer: Analyzer
    actuators: dict[str, _Actuator]
    counters: PoolCounters = field(default_factory=lambda: PoolCounters(MIX_WINDOW_S))
    peaks: dict[str, tuple[GaugeWindow, GaugeWindow]] = field(default_factory=dict)
    decided: dict[str, int] = field(default_factory=dict)
    due_at_s: float | None = None

    def step(self, seen: Mapping[str, Seen], now_s: float, interval_s: float) -> dict[str, int]:
        """Scrape; decide when it is time; let each variant's HPA follow the newest decision."""
        self.counters.add(now_s, self._answering(seen))
        loads = self._loads(seen, now_s)
        if self.due_at_s is None or now_s >= self.due_at_s:
            self.due_at_s = now_s + interval_s
            scene = self._scene(seen, now_s, loads)
            self.decided = _awake(scene, self.analyzer.decide(scene))
        return {name: actuator.step(seen[name], self.decided[name]) for name, actuator in self.actuators.items()}

    def _loads(self, seen: Mapping[str, Seen], now_s: float) -> list[ReplicaLoad]:
        loads, peaks = [], {}
        for variant, here in seen.items():
            for sample in here.samples:
                if sample.kv_usage is None or sample.waiting is None:
                    continue
                kv, queue = self.peaks.get(sample.replica) or (GaugeWindow(PEAK_WINDOW_S), GaugeWindow(PEAK_WINDOW_S))
                kv.add(now_s, sample.kv_usage)
                queue.add(now_s, sample.waiting)
                peaks[sample.replica] = (kv, queue)
                worst = (kv.peak(now_s) or 0.0, queue.peak(now_s) or 0.0)
                loads.append(ReplicaLoad(variant, *worst, kv_tokens=sample.kv_capacity_tokens))
        self.peaks = peaks
        return loads

    def _scene(self, seen: Mapping[str, Seen], now_s: float, loads: list[ReplicaLoad]) -> Scene:
        roles: dict[Role, list[VariantState]] = {}
        for variant in self.target.variants:
            if variant.name in self.actuators:
                here = seen[variant.name]
                state = VariantState(
                    variant.name,
                    variant.usd_per_replica_hour,
                    here.desired,
                    here.ready,
                    variant.min_replicas,
                    variant.max_replicas,
                    self.decided.get(variant.name),
                )
                roles.setdefault(variant.role, []).append(state)
        did = self.counters.since(now_s - MIX_WINDOW_S)
        return Scene(now_s, roles, loads, Mix(did.input_tokens, did.output_tokens))

    def _answering(self, seen: Mapping[str, Seen]) -> list[Sample]:
        """Where answers are made: a prefill replica ends a request after one token, and would halve the mean."""
        names = [v.name for v in self.target.variants if v.role is not Role.PREFILL]
        return [sample for name in names for sample in seen[name].samples]


def _awake(scene: Scene, wanted: dict[str, int]) -> dict[str, int]:
    """Scale to zero is off by default: the cheapest variant of a role has a replica where none has."""
    woken = dict(wanted)
    for variants in scene.roles.values():
        if not any(woken[v.name] for v in variants):
            woken[min(variants, key=lambda v: (v.usd_per_hour, v.name)).name] = 1
    return woken


class WvaPolicy:
    """One WVA over all targets."""

    def __init__(
        self, name: str, scenario: Scenario, loop: WvaSettings, analyzer: Callable[[list[Workload]], Analyzer]
    ) -> None:
        self.name = name
        self.interval_s = loop.scrape_s
        self._decide_every_s = loop.interval_s
        self._models = [_model(scenario, target, loop, analyzer) for target in scenario.targets]

    def step(self, view: FleetView) -> Mapping[str, Mapping[str, int]]:
        """See `Policy`."""
        return {
            model.target.key: model.step(see(view, model.target.key), view.now_s, self._decide_every_s)
            for model in self._models
        }


def _model(
    scenario: Scenario, target: Target, loop: WvaSettings, analyzer: Callable[[list[Workload]], Analyzer]
) -> _Model:
    workloads = [w for w in scenario.workloads if w.target.key == target.key and w.variant.max_replicas > 0]
    bounds = {w.variant.name: Bounds(max(1, w.variant.min_replicas), w.variant.max_replicas) for w in workloads}
    actuators = {name: _Actuator(Behavior(b, loop.up, loop.down)) for name, b in bounds.items()}
    return _Model(target, analyzer(workloads), actuators)
