"""llm-d's SLO-aware KEDA (guides/workload-autoscaling, README.slo-aware.md): latency over SLO drives the replicas."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from controlplane.domain.observation import Histogram
from controlplane.domain.target import Role, ScalingPolicy, ScalingPolicyType, ScalingRules
from controlplane.observing.histograms import quantile
from controlplane.simulation.backtest import Policy
from controlplane.simulation.lifecycle import Workload
from controlplane.simulation.peers.hpa import Behavior, average_value_proposal
from controlplane.simulation.peers.increase import PoolCounters
from controlplane.simulation.peers.peer import Peer
from controlplane.simulation.peers.signals import GaugeWindow
from controlplane.simulation.peers.workload import PerVariant, Seen, serving_bounds
from controlplane.simulation.scenario import Scenario

UP = ScalingRules(
    30.0, (ScalingPolicy(ScalingPolicyType.PERCENT, 100, 60.0), ScalingPolicy(ScalingPolicyType.PODS, 4, 60.0))
)
"""The guide's scaleUp: the larger of doubling and four pods a minute, after 30 s of agreement."""
DOWN = ScalingRules(180.0, (ScalingPolicy(ScalingPolicyType.PODS, 1, 120.0),))
"""The guide's scaleDown: one pod in two minutes, after three minutes of agreement."""


@dataclass(frozen=True, slots=True)
class KedaSloSettings:
    """The guide's benchmarked values (its table of tunables)."""

    up_at: float = 0.55
    """Share of the SLO above which it scales up."""
    down_at: float = 0.40
    """Share of the SLO below which it scales down."""
    quantile: float = 0.9
    clamp: float = 2.0
    smoothing_s: float = 45.0
    rate_window_s: float = 60.0
    up: ScalingRules = UP
    down: ScalingRules = DOWN
    interval_s: float = 15.0
    """Recording rules and the HPA's sync."""


def saturation(settings: KedaSloSettings, latencies: tuple[tuple[Histogram | None, float], ...]) -> float:
    """The worst of the latencies' quantiles over its SLO, clamped; nought without traffic.

    `latencies` are pairs of what was observed and its SLO in seconds.
    """
    shares = [quantile(h, settings.quantile) / slo_s for h, slo_s in latencies if h is not None and h.count > 0]
    return min(max(shares, default=0.0), settings.clamp)


def desired_replicas(settings: KedaSloSettings, provisioned: int, ready: int, smoothed: float) -> int:
    """The guide's formula. Upwards replicas that are on their way are credited; downwards they are not."""
    if smoothed > settings.up_at:
        credit = ready / provisioned if 0 < ready < provisioned else 1.0
        return provisioned + math.ceil(round(provisioned * (smoothed * credit / settings.up_at - 1.0), 9))
    if smoothed < settings.down_at:
        return provisioned - math.floor(round(provisioned * (1.0 - smoothed / settings.down_at), 9))
    return provisioned


class KedaSloScaler:
    """One ScaledObject on measured latencies: the guide's fallback where no latency predictor runs."""

    def __init__(self, workload: Workload, settings: KedaSloSettings) -> None:
        self._settings = settings
        self._slo = workload.target.policy.slo
        self._role = workload.variant.role
        self._counters = PoolCounters(settings.rate_window_s)
        self._signal = GaugeWindow(settings.smoothing_s)
        self._behavior = Behavior(serving_bounds(workload.variant), settings.up, settings.down)

    def step(self, seen: Seen) -> int:
        """See `Scaler`."""
        settings, now_s = self._settings, seen.now_s
        self._counters.add(now_s, seen.samples)
        self._signal.add(now_s, saturation(settings, self._latencies(now_s)))
        smoothed = self._signal.mean(now_s) or 0.0
        desired = desired_replicas(settings, seen.desired, seen.ready, smoothed)
        return self._behavior.step(now_s, seen.desired, average_value_proposal(desired, seen.desired, 1.0))

    def _latencies(self, now_s: float) -> tuple[tuple[Histogram | None, float], ...]:
        """TTFT drives what reads prompts and TPOT what decodes, as the guide foresees for disaggregation."""
        did = self._counters.since(now_s - self._settings.rate_window_s)
        ttft, tpot = (did.ttft_s, self._slo.ttft_s), (did.tpot_s, self._slo.tpot_s)
        if self._role is Role.PREFILL:
            return (ttft,)
        return (tpot,) if self._role is Role.DECODE else (ttft, tpot)


def _make(scenario: Scenario, settings: KedaSloSettings) -> Policy:
    return PerVariant("keda-slo", settings.interval_s, scenario, lambda workload: KedaSloScaler(workload, settings))


DEFAULTS = KedaSloSettings()
KEDA_SLO_PEER = Peer(
    "keda-slo",
    _make,
    DEFAULTS,
    (
        *(replace(DEFAULTS, up_at=up, down_at=down) for up, down in ((0.3, 0.2), (0.4, 0.25), (0.4, 0.3), (0.55, 0.3))),
        *(replace(DEFAULTS, up_at=up, down_at=down) for up, down in ((0.7, 0.5), (0.85, 0.6))),
        replace(DEFAULTS, up_at=0.4, down_at=0.25, quantile=0.99),
        replace(DEFAULTS, quantile=0.99),
        replace(DEFAULTS, up_at=0.4, down_at=0.25, down=replace(DOWN, stabilization_window_s=600.0)),
        replace(DEFAULTS, up_at=0.4, down_at=0.25, up=replace(UP, stabilization_window_s=0.0)),
    ),
)
"""Bands below and above the guide's, which says to move them with the SLO's distance from the unloaded latency."""
