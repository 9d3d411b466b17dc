"""Ray Serve's default autoscaling policy (Ray 2.49, serve/autoscaling_policy.py)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from controlplane.simulation.backtest import Policy
from controlplane.simulation.lifecycle import Workload
from controlplane.simulation.peers.peer import Peer
from controlplane.simulation.peers.signals import GaugeWindow, Signal, known
from controlplane.simulation.peers.workload import Bounds, PerVariant, Seen, serving_bounds
from controlplane.simulation.scenario import Scenario


@dataclass(frozen=True, slots=True)
class RaySettings:
    """Defaults of Ray Serve's AutoscalingConfig, but for the tick."""

    target_ongoing_requests: float = 2.0
    upscaling_factor: float = 1.0
    downscaling_factor: float = 1.0
    upscale_delay_s: float = 30.0
    downscale_delay_s: float = 600.0
    look_back_period_s: float = 30.0
    tick_s: float = 5.0
    """CONTROL_LOOP_INTERVAL_S is 0.1. A delay is a count of ticks in one direction, so a tick fifty times longer
    counts a fiftieth: it acts at the first tick after the same delay, up to five seconds later."""


class RayServe:
    """The policy of one deployment, with its one counter: ticks in the same direction, up positive, down negative."""

    def __init__(self, settings: RaySettings, bounds: Bounds) -> None:
        self._settings = settings
        self._bounds = bounds
        self._ticks = 0

    def step(self, running: int, current: int, requests: float) -> int:
        """Replicas from now on; `running` are up, `current` are wanted, `requests` is the mean over the look-back."""
        if running == 0:
            return max(math.ceil(self._settings.upscaling_factor), current) if requests > 0 else current
        wanted = self._bounds.clamp(self._wanted(running, requests))
        if wanted == current:
            self._ticks = 0
            return current
        up = wanted > current
        self._ticks = max(self._ticks, 0) + 1 if up else min(self._ticks, 0) - 1
        delay_s = self._settings.upscale_delay_s if up else self._settings.downscale_delay_s
        if abs(self._ticks) <= int(delay_s / self._settings.tick_s):
            return current
        self._ticks = 0
        # From more than one it never goes below one at once.
        return wanted if up or current == 1 else max(1, wanted)

    def _wanted(self, running: int, requests: float) -> int:
        """In Ray's own order of operations: its rounding now and then adds a replica, as there."""
        settings = self._settings
        ratio = requests / (settings.target_ongoing_requests * running)
        factor = settings.upscaling_factor if ratio >= 1.0 else settings.downscaling_factor
        wanted = math.ceil(running * (1.0 + (ratio - 1.0) * factor))
        stuck = math.ceil(running * ratio) < running and wanted == running
        return wanted - 1 if stuck else wanted


class RayScaler:
    """One Serve deployment: requests in its replicas, batch and queue, stand for Ray's ongoing and queued ones."""

    def __init__(self, workload: Workload, settings: RaySettings) -> None:
        self._ray = RayServe(settings, serving_bounds(workload.variant))
        self._window = GaugeWindow(settings.look_back_period_s)

    def step(self, seen: Seen) -> int:
        """See `Scaler`. Without any replica that answers nothing changes."""
        values = known(Signal.CONCURRENCY, seen.samples)
        if not values:
            return seen.desired
        self._window.add(seen.now_s, sum(values))
        requests = self._window.mean(seen.now_s)
        return seen.desired if requests is None else self._ray.step(seen.ready, seen.desired, requests)


def _make(scenario: Scenario, settings: RaySettings) -> Policy:
    return PerVariant("ray-serve", settings.tick_s, scenario, lambda workload: RayScaler(workload, settings))


DEFAULTS = RaySettings()
RAY_PEER = Peer(
    "ray-serve",
    _make,
    DEFAULTS,
    (
        *(replace(DEFAULTS, target_ongoing_requests=target) for target in (4.0, 8.0, 16.0, 32.0, 64.0, 128.0)),
        *(replace(DEFAULTS, target_ongoing_requests=target, upscale_delay_s=10.0) for target in (8.0, 16.0, 32.0)),
        replace(DEFAULTS, target_ongoing_requests=16.0, upscale_delay_s=10.0, downscale_delay_s=300.0),
    ),
)
"""More requests a replica than Ray's 2, since an LLM engine batches; and a shorter way up."""
