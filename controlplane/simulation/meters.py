"""What the fleet did, measured from outside: requests that met their SLO, GPU-hours, dollars."""

from __future__ import annotations

from array import array
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from controlplane.domain.target import Slo, Target
from controlplane.simulation.core import state as s

SECONDS_PER_HOUR = 3600.0
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
    arrived_at_s: array[float] = field(default_factory=lambda: array("d"))
    """Arrivals of the requests that are over, in the order of their ends."""
    met_each: array[int] = field(default_factory=lambda: array("b"))
    """Whether each of them met the SLO."""
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
        self.finished += int(answered.sum())
        self.rejected += int((~answered).sum())
        self.met += int(met.sum())
        self.ttft_s.frombytes(ttft_s[answered].tobytes())
        self.tpot_s.frombytes(tpot_s[answered & (steps > 0)].tobytes())
        self.arrived_at_s.frombytes(rows[:, s.DONE_ARRIVED].tobytes())
        self.met_each.frombytes(met.astype(np.int8).tobytes())
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
