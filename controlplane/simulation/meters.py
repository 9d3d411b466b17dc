"""What the fleet did, measured from outside: requests that met their SLO, GPU-hours, dollars."""

from __future__ import annotations

from array import array
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from controlplane.domain.target import Slo, Target
from controlplane.simulation.core import state as s

SECONDS_PER_HOUR = 3600.0
FLAP_S = 900.0
"""Up and down again, or the reverse, within a quarter of an hour is a flap: a cold start was paid for nothing."""
RECENT_REQUESTS = 1000
"""Requests whose share that met the SLO is the live line's attainment."""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of one latency, seconds; None where no request finished."""

    p50: float | None
    p90: float | None
    p99: float | None

    @classmethod
    def of(cls, values: array[float]) -> Percentiles:
        """The percentiles of `values`, linear between neighbours."""
        if not values:
            return cls(None, None, None)
        p50, p90, p99 = (float(v) for v in np.percentile(np.frombuffer(values), (50, 90, 99)))
        return cls(p50, p90, p99)


@dataclass(slots=True)
class RequestMeter:
    """Counts one target's requests as its users see them."""

    slo: Slo
    arrived: int = 0
    finished: int = 0
    rejected: int = 0
    met: int = 0
    ttft_s: array[float] = field(default_factory=lambda: array("d"))
    tpot_s: array[float] = field(default_factory=lambda: array("d"))
    over: list[np.ndarray] = field(default_factory=list)
    """Where `keep` says so: arrival, prompt tokens and whether it met the SLO, of every request that is over."""
    keep: bool = False
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=RECENT_REQUESTS))

    @property
    def in_system(self) -> int:
        """Requests that have neither finished nor been rejected."""
        return self.arrived - self.finished - self.rejected

    def conclude(self, rows: np.ndarray) -> None:
        """Count requests that are over: rows of the core's `done`. One whose end is NaN was refused: no replica could
        ever serve it. An answer of one token has no TPOT and meets that part of the SLO."""
        ends_s = rows[:, s.DONE_END]
        answered = ~np.isnan(ends_s)
        ttft_s = rows[:, s.DONE_FIRST] - rows[:, s.DONE_ARRIVED]
        steps = rows[:, s.DONE_OSL] - 1.0
        tpot_s = np.where(steps > 0, (ends_s - rows[:, s.DONE_FIRST]) / np.maximum(steps, 1.0), 0.0)
        met = answered & (ttft_s <= self.slo.ttft_s) & (tpot_s <= self.slo.tpot_s)
        if self.slo.e2e_s is not None:
            met &= ends_s - rows[:, s.DONE_ARRIVED] <= self.slo.e2e_s
        self.finished += int(answered.sum())
        self.rejected += int((~answered).sum())
        self.met += int(met.sum())
        self.ttft_s.frombytes(ttft_s[answered].tobytes())
        self.tpot_s.frombytes(tpot_s[answered & (steps > 0)].tobytes())
        if self.keep:
            self.over.append(np.column_stack((rows[:, s.DONE_ARRIVED], rows[:, s.DONE_ISL], met)))
        self.recent.extend(met.tolist())


@dataclass(slots=True)
class VariantMeter:
    """Counts one workload's replicas from the moment they are placed on a node to their end."""

    usd_per_replica_hour: float
    gpus_per_replica: int
    replica_s: float = 0.0
    placed: int = 0
    peak_replicas: int = 0
    scale_ups: int = 0
    scale_downs: int = 0
    flaps: int = 0
    """Changes of direction within `FLAP_S`."""
    _turned: tuple[float, int] | None = None

    def scale(self, before: int, after: int, at_s: float) -> None:
        """What is wanted changed at a time (unix seconds)."""
        if before == after:
            return
        sign = 1 if after > before else -1
        self.scale_ups += sign > 0
        self.scale_downs += sign < 0
        last = self._turned
        self.flaps += last is not None and last[1] != sign and at_s - last[0] <= FLAP_S
        self._turned = (at_s, sign)

    def pass_time(self, seconds: float) -> None:
        """Let time go by for the replicas that are placed."""
        self.replica_s += self.placed * seconds

    def place(self, delta: int) -> None:
        """A replica was placed (+1) or is gone (-1)."""
        self.placed += delta
        self.peak_replicas = max(self.peak_replicas, self.placed)

    @property
    def gpu_hours(self) -> float:
        """GPU-hours so far."""
        return self.replica_s * self.gpus_per_replica / SECONDS_PER_HOUR

    @property
    def cost_usd(self) -> float:
        """Dollars so far."""
        return self.replica_s * self.usd_per_replica_hour / SECONDS_PER_HOUR


def meter_of(target: Target) -> RequestMeter:
    """A meter at nought for that target's SLO."""
    return RequestMeter(target.policy.slo)
