"""Knative's pod autoscaler, KPA (knative/serving, pkg/autoscaler/scaling/autoscaler.go), on concurrency."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from controlplane.simulation.backtest import Policy
from controlplane.simulation.lifecycle import Workload
from controlplane.simulation.peers.peer import Peer
from controlplane.simulation.peers.signals import GaugeWindow, Signal, known
from controlplane.simulation.peers.workload import PerVariant, Seen, serving_bounds
from controlplane.simulation.scenario import Scenario


@dataclass(frozen=True, slots=True)
class KpaSettings:
    """Defaults of Knative's `config-autoscaler`; its keys are named below."""

    concurrency: float = 100.0
    """container-concurrency-target-default."""
    utilization: float = 0.7
    """container-concurrency-target-percentage: the target is concurrency x utilization."""
    stable_window_s: float = 60.0
    panic_window_share: float = 0.1
    """panic-window-percentage."""
    panic_threshold: float = 2.0
    """panic-threshold-percentage."""
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    scale_down_delay_s: float = 0.0
    tick_s: float = 2.0

    @property
    def target(self) -> float:
        """Requests in a replica that are aimed at."""
        return self.concurrency * self.utilization


class Kpa:
    """The autoscaler of one revision: stable by a minute's mean, in panic by six seconds' and never down."""

    def __init__(self, settings: KpaSettings, ready: int, now_s: float) -> None:
        self._settings = settings
        # One that begins with more than one pod may just have been restarted in a burst: it begins in panic.
        self._panic_since_s = now_s if ready > 1 else None
        self._panic_high = ready
        self._wanted: list[tuple[float, int]] = []

    def scale(self, now_s: float, ready: int, stable: float, panic: float) -> int:
        """Replicas for the whole revision's mean concurrency over the stable and over the panic window."""
        settings, pods = self._settings, max(1, ready)
        highest = math.ceil(settings.max_scale_up_rate * pods)
        lowest = math.floor(pods / settings.max_scale_down_rate)
        for_stable, for_panic = math.ceil(stable / settings.target), math.ceil(panic / settings.target)
        self._turn(now_s, for_panic / pods >= settings.panic_threshold)
        wanted = min(max(for_stable, lowest), highest)
        if self._panic_since_s is not None:
            self._panic_high = max(self._panic_high, wanted, min(max(for_panic, lowest), highest))
            wanted = self._panic_high
        return self._delayed(now_s, wanted)

    def _turn(self, now_s: float, over: bool) -> None:
        """Into panic or on with it; out of it one stable window after the threshold was last crossed."""
        if over:
            self._panic_since_s = now_s
        elif self._panic_since_s is not None and self._panic_since_s + self._settings.stable_window_s < now_s:
            self._panic_since_s, self._panic_high = None, 0

    def _delayed(self, now_s: float, wanted: int) -> int:
        """The most that was wanted within the scale-down delay."""
        if self._settings.scale_down_delay_s <= 0:
            return wanted
        from_s = now_s - self._settings.scale_down_delay_s
        self._wanted = [*((at_s, n) for at_s, n in self._wanted if at_s > from_s), (now_s, wanted)]
        return max(n for _, n in self._wanted)


class KpaScaler:
    """One revision's KPA. It reads once a tick (2 s) where Knative scrapes every second and averages the same."""

    def __init__(self, workload: Workload, settings: KpaSettings) -> None:
        self._settings = settings
        self._bounds = serving_bounds(workload.variant)
        self._window = GaugeWindow(settings.stable_window_s)
        self._kpa: Kpa | None = None

    def step(self, seen: Seen) -> int:
        """See `Scaler`. Without any replica that answers nothing changes: the gateway's queue is not seen."""
        settings, now_s = self._settings, seen.now_s
        values = known(Signal.CONCURRENCY, seen.samples)
        if self._kpa is None:
            self._kpa = Kpa(settings, seen.ready, now_s)
        if values:
            self._window.add(now_s, sum(values))
        stable = self._window.mean(now_s)
        panic = self._window.mean(now_s, settings.stable_window_s * settings.panic_window_share)
        if stable is None or panic is None:
            return seen.desired
        return self._bounds.clamp(self._kpa.scale(now_s, seen.ready, stable, panic))


def _make(scenario: Scenario, settings: KpaSettings) -> Policy:
    return PerVariant("kpa", settings.tick_s, scenario, lambda workload: KpaScaler(workload, settings))


DEFAULTS = KpaSettings()
KPA_PEER = Peer(
    "kpa",
    _make,
    DEFAULTS,
    (
        *(replace(DEFAULTS, concurrency=concurrency) for concurrency in (10.0, 20.0, 40.0, 70.0, 150.0)),
        *(replace(DEFAULTS, concurrency=c, scale_down_delay_s=300.0) for c in (10.0, 20.0, 40.0, 70.0)),
        replace(DEFAULTS, concurrency=40.0, stable_window_s=300.0),
    ),
)
"""Fewer requests a replica than Knative's 100, whose requests are short; and a delay on the way down, which a cold
start of minutes asks for (scale-down-delay may be up to an hour)."""
