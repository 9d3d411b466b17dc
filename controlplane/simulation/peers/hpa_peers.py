"""HPA v2 on one vLLM metric, one HPA per Deployment: `hpa-queue`, `hpa-concurrency` and `hpa-kv`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from controlplane.domain.target import (
    DEFAULT_SCALE_UP,
    HPA_SCALE_DOWN,
    ScalingPolicy,
    ScalingPolicyType,
    ScalingRules,
)
from controlplane.simulation.backtest import Policy
from controlplane.simulation.lifecycle import Workload
from controlplane.simulation.peers.hpa import TOLERANCE, Behavior, pods_proposal
from controlplane.simulation.peers.peer import Peer
from controlplane.simulation.peers.signals import Signal, read
from controlplane.simulation.peers.workload import PerVariant, Seen, serving_bounds
from controlplane.simulation.scenario import Scenario


@dataclass(frozen=True, slots=True)
class HpaSettings:
    """An HPA on a metric of type Pods. All but `signal` and `target` are Kubernetes' defaults (1.36)."""

    signal: Signal
    target: float
    """Mean over the pods that is aimed at."""
    tolerance: float = TOLERANCE
    up: ScalingRules = DEFAULT_SCALE_UP
    down: ScalingRules = HPA_SCALE_DOWN
    interval_s: float = 15.0
    """--horizontal-pod-autoscaler-sync-period."""


class HpaScaler:
    """One HPA. Its metrics are as of the sync: a real one's are a scrape and an adapter's cache older, 15 to 60 s."""

    def __init__(self, workload: Workload, settings: HpaSettings) -> None:
        self._settings = settings
        self._behavior = Behavior(serving_bounds(workload.variant), settings.up, settings.down)

    def step(self, seen: Seen) -> int:
        """See `Scaler`. A pod in its cold start counts as Pending; without any metric nothing changes."""
        settings = self._settings
        values = [read(settings.signal, sample) for sample in seen.samples]
        proposal = pods_proposal(values, seen.pending, seen.desired, settings.target, settings.tolerance)
        return seen.desired if proposal is None else self._behavior.step(seen.now_s, seen.desired, proposal)


def _maker(name: str) -> Callable[[Scenario, HpaSettings], Policy]:
    def make(scenario: Scenario, settings: HpaSettings) -> Policy:
        return PerVariant(name, settings.interval_s, scenario, lambda workload: HpaScaler(workload, settings))

    return make


QUEUE = HpaSettings(Signal.WAITING, target=5.0)
"""Five waiting requests a replica: GKE's guide to autoscaling LLM inference begins at 3 to 5; vLLM's production-stack
sets 5."""
CONCURRENCY = HpaSettings(Signal.CONCURRENCY, target=16.0)
"""Sixteen requests a replica: the running-request threshold of llm-d's guide to KEDA with EPP metrics."""
KV = HpaSettings(Signal.KV, target=0.8)
"""80 % of the KV cache: the decode trigger of llm-d's token-aware guide, and WVA's saturation threshold."""

SLOW_DOWN = ScalingRules(600.0, (ScalingPolicy(ScalingPolicyType.PODS, 1, 60.0),))
"""Ten minutes of agreement, then one pod a minute: what operators of slow starters set."""
CALM_UP = replace(DEFAULT_SCALE_UP, stabilization_window_s=60.0)
"""Half a minute of noise is not followed upwards."""


def _grid(base: HpaSettings, targets: tuple[float, ...], steady: tuple[float, ...]) -> tuple[HpaSettings, ...]:
    """Every target with the default behavior; `steady` ones with a slow way down, and with a calm way up as well."""
    plain = tuple(replace(base, target=target) for target in targets)
    slow = tuple(replace(base, target=target, down=SLOW_DOWN) for target in steady)
    calm = replace(base, target=steady[0], up=CALM_UP, down=SLOW_DOWN)
    return (*plain, *slow, calm)


HPA_PEERS: tuple[Peer[HpaSettings], ...] = (
    Peer("hpa-queue", _maker("hpa-queue"), QUEUE, _grid(QUEUE, (0.5, 1, 2, 5, 10, 20), (0.5, 1, 5))),
    Peer(
        "hpa-concurrency",
        _maker("hpa-concurrency"),
        CONCURRENCY,
        _grid(CONCURRENCY, (4, 8, 16, 32, 64, 128), (8, 16, 32, 64)),
    ),
    Peer("hpa-kv", _maker("hpa-kv"), KV, _grid(KV, (0.1, 0.2, 0.3, 0.5, 0.65, 0.8), (0.1, 0.2, 0.3, 0.5))),
)
