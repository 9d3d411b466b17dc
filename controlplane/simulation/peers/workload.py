"""One Deployment as an autoscaler sees it, and the policy that runs one autoscaler for each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from controlplane.domain.observation import Replica, ReplicaPhase, Sample
from controlplane.domain.target import Variant
from controlplane.simulation.backtest import FleetView
from controlplane.simulation.lifecycle import Workload
from controlplane.simulation.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Bounds:
    """The fewest and the most replicas that an autoscaler may want."""

    low: int
    high: int

    def clamp(self, replicas: int) -> int:
        """The nearest number within."""
        return max(self.low, min(self.high, replicas))


def serving_bounds(variant: Variant) -> Bounds:
    """A variant's bounds for an autoscaler that cannot wake from nought: at least one replica, if it may have any."""
    return Bounds(min(max(1, variant.min_replicas), variant.max_replicas), variant.max_replicas)


@dataclass(frozen=True, slots=True)
class Seen:
    """One Deployment at one moment. `desired` is its `spec.replicas`; `samples` are of the Ready replicas."""

    now_s: float
    desired: int
    ready: int
    pending: int
    samples: tuple[Sample, ...]


class Scaler(Protocol):
    """A one-method port: one Deployment's autoscaler."""

    def step(self, seen: Seen) -> int:
        """Replicas to want from now on."""
        ...


class PerVariant:
    """One autoscaler for each variant, none knowing of the others: how an HPA and its likes are deployed."""

    def __init__(
        self, name: str, interval_s: float, scenario: Scenario, make: Callable[[Workload], Scaler], low: int = 1
    ) -> None:
        self.name = name
        self.interval_s = interval_s
        self._workloads = [w for w in scenario.workloads if w.variant.max_replicas > 0]
        self._scalers = {w.key: make(w) for w in self._workloads}
        self._low = low

    def step(self, view: FleetView) -> Mapping[str, Mapping[str, int]]:
        """See `Policy`. A Deployment below its least is brought there first, as deploying it would."""
        wanted: dict[str, dict[str, int]] = {}
        for target in {w.target.key: w.target for w in self._workloads}:
            seen = see(view, target)
            for workload in self._workloads:
                if workload.target.key == target:
                    wanted.setdefault(target, {})[workload.variant.name] = self._one(workload, seen)
        return wanted

    def _one(self, workload: Workload, seen: Mapping[str, Seen]) -> int:
        variant = workload.variant
        least = min(max(self._low, variant.min_replicas), variant.max_replicas)
        here = seen[variant.name]
        return least if here.desired < least else self._scalers[workload.key].step(here)


def see(view: FleetView, target: str) -> dict[str, Seen]:
    """Every variant of a target, by name."""
    samples: dict[str, list[Sample]] = {}
    for sample in view.samples(target):
        samples.setdefault(sample.variant, []).append(sample)
    replicas = view.replicas(target)
    ready, pending = _count(replicas, ReplicaPhase.READY), _count(replicas, ReplicaPhase.PENDING)
    return {
        name: Seen(view.now_s, desired, ready[name], pending[name], tuple(samples.get(name, ())))
        for name, desired in view.desired(target).items()
    }


def _count(replicas: Sequence[Replica], phase: ReplicaPhase) -> Counter[str]:
    return Counter(replica.variant for replica in replicas if replica.phase is phase)
