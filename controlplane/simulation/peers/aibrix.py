"""AIBrix's KPA and APA (vllm-project/aibrix 0.8, pkg/controller/podautoscaler), as they are: their faults too."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from controlplane.simulation.backtest import Policy
from controlplane.simulation.lifecycle import Workload
from controlplane.simulation.peers.peer import Peer
from controlplane.simulation.peers.signals import GaugeWindow, Signal, known
from controlplane.simulation.peers.workload import Bounds, PerVariant, Seen, serving_bounds
from controlplane.simulation.scenario import Scenario


class Strategy(StrEnum):
    """AIBrix's `scalingStrategy`."""

    KPA = "Kpa"
    APA = "Apa"


@dataclass(frozen=True, slots=True)
class AibrixSettings:
    """Defaults of the controller; signal and target are those of its samples/autoscaling (kv_cache_usage_perc, 0.5)."""

    strategy: Strategy
    signal: Signal = Signal.KV
    target: float = 0.5
    total: bool = False
    """Sum over the pods, as its optimizer gives, and not their mean. KPA divides by the target and does not multiply by
    the pods, so that with a mean it never wants more than mean/target."""
    window_s: float = 180.0
    panic_window_s: float = 60.0
    panic_threshold: float = 2.0
    up_rate: float = 2.0
    down_rate: float = 2.0
    tolerance: float = 0.1
    """Both upwards and downwards."""
    up_cooldown_s: float = 0.0
    down_cooldown_s: float = 300.0
    as_shipped: bool = True
    """The stabiliser as shipped takes the least recommendation of the cooldown on the way down, where HPA takes the
    most; False takes HPA's."""
    interval_s: float = 10.0
    """The controller's resync."""


def apa(settings: AibrixSettings, current: int, value: float) -> int:
    """APA: in proportion to value/target outside the tolerance, by no more than the rates."""
    ratio = value / settings.target
    if ratio > 1.0 + settings.tolerance:
        return min(math.ceil(current * ratio), math.ceil(settings.up_rate * current))
    if ratio < 1.0 - settings.tolerance:
        return max(math.ceil(current * ratio), math.floor(current / settings.down_rate))
    return current


def kpa(settings: AibrixSettings, current: int, stable: float, panic: float) -> int:
    """KPA: value/target, whatever the replicas; panic where the short window's mean is a multiple of the long one's.

    An empty long window is panic as well, and panic is forgotten with the next tick.
    """
    highest = max(1, math.ceil(settings.up_rate * current))
    lowest = math.floor(current / settings.down_rate)

    def wanted(value: float) -> int:
        ratio = value / settings.target
        outside = ratio > 1.0 + settings.tolerance or ratio < 1.0 - settings.tolerance
        return min(max(math.ceil(ratio) if outside else current, lowest), highest)

    in_panic = stable <= 0 or panic / stable > settings.panic_threshold
    return max(wanted(stable), wanted(panic)) if in_panic else wanted(stable)


class Stabiliser:
    """The cooldowns over past recommendations."""

    def __init__(self, settings: AibrixSettings) -> None:
        self._settings = settings
        self._past: list[tuple[float, int]] = []

    def step(self, now_s: float, current: int, recommended: int) -> int:
        """What is left of a recommendation."""
        settings = self._settings
        keep_s = max(settings.up_cooldown_s, settings.down_cooldown_s)
        self._past = [(at_s, n) for at_s, n in (*self._past, (now_s, recommended)) if at_s > now_s - keep_s]
        if recommended == current:
            return current
        window_s = settings.up_cooldown_s if recommended > current else settings.down_cooldown_s
        within = [n for at_s, n in self._past if at_s > now_s - window_s] or [recommended]
        if settings.as_shipped:
            return max(within) if recommended > current else min(within)
        return min(within) if recommended > current else min(current, max(within))


def scale(settings: AibrixSettings, stabiliser: Stabiliser, bounds: Bounds, seen: Seen, value: _Windows) -> int:
    """One reconcile: bounds first, then the strategy, the bounds, the stabiliser and the bounds again."""
    current = seen.desired
    if bounds.clamp(current) != current:
        return bounds.clamp(current)
    if settings.strategy is Strategy.APA:
        recommended = apa(settings, current, value.stable)
    else:
        recommended = kpa(settings, current, value.stable, value.panic)
    return bounds.clamp(stabiliser.step(seen.now_s, current, bounds.clamp(recommended)))


@dataclass(frozen=True, slots=True)
class _Windows:
    stable: float
    panic: float


class AibrixScaler:
    """One PodAutoscaler. Pods that are starting are not waited for: while they load, the mean stays high."""

    def __init__(self, workload: Workload, settings: AibrixSettings) -> None:
        self._settings = settings
        self._bounds = serving_bounds(workload.variant)
        self._stabiliser = Stabiliser(settings)
        self._window = GaugeWindow(max(settings.window_s, settings.panic_window_s))

    def step(self, seen: Seen) -> int:
        """See `Scaler`."""
        settings, now_s = self._settings, seen.now_s
        values = known(settings.signal, seen.samples)
        if values:
            self._window.add(now_s, sum(values) if settings.total else sum(values) / len(values))
        stable = self._window.mean(now_s, settings.window_s)
        panic = self._window.mean(now_s, settings.panic_window_s)
        if not values or stable is None or panic is None:
            return seen.desired
        return scale(settings, self._stabiliser, self._bounds, seen, _Windows(stable, panic))


def _maker(name: str) -> Callable[[Scenario, AibrixSettings], Policy]:
    def make(scenario: Scenario, settings: AibrixSettings) -> Policy:
        return PerVariant(name, settings.interval_s, scenario, lambda workload: AibrixScaler(workload, settings))

    return make


KPA = AibrixSettings(Strategy.KPA)
APA = AibrixSettings(Strategy.APA)
_LOAD = replace(KPA, signal=Signal.CONCURRENCY, total=True)
"""KPA on the sum of requests: the total that it needs."""
AIBRIX_PEERS: tuple[Peer[AibrixSettings], ...] = (
    Peer(
        "aibrix-kpa",
        _maker("aibrix-kpa"),
        KPA,
        (
            *(replace(_LOAD, target=target) for target in (8.0, 16.0, 32.0, 64.0)),
            *(replace(_LOAD, target=target, as_shipped=False) for target in (8.0, 16.0, 32.0, 64.0)),
            replace(KPA, total=True, as_shipped=False),
            replace(KPA, total=True, target=0.2, as_shipped=False),
        ),
    ),
    Peer(
        "aibrix-apa",
        _maker("aibrix-apa"),
        APA,
        (
            *(replace(APA, target=target) for target in (0.1, 0.2, 0.3)),
            *(replace(APA, target=target, as_shipped=False) for target in (0.1, 0.2, 0.3, 0.5)),
            replace(APA, target=0.2, window_s=30.0, as_shipped=False),
            *(replace(APA, signal=Signal.CONCURRENCY, target=t, as_shipped=False) for t in (8.0, 16.0, 32.0, 64.0)),
        ),
    ),
)
