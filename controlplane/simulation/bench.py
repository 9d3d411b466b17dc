"""One simulated replica under a benchmark's load, to be held against measured tables."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from controlplane.domain.target import CapacityType, Mode, Policy, Role, ScaleTargetRef, Slo, Target, Variant
from controlplane.planning.roofline import StepCost
from controlplane.simulation.core import state as s
from controlplane.simulation.engine import EngineLimits
from controlplane.simulation.lifecycle import ColdStartStages, Workload
from controlplane.simulation.meters import RequestMeter
from controlplane.simulation.service import Service
from controlplane.simulation.traffic import Arrivals


@dataclass(frozen=True, slots=True)
class ClosedLoad:
    """`users` ask at once, and each again `pause_s` after its answer, until `requests` were sent. Lengths are uniform
    between `least_share` of the stated ones and the stated ones (benchmarks' `--random-range-ratio`)."""

    users: int
    requests: int
    input_tokens: int
    output_tokens: int
    least_share: float = 1.0
    cached_tokens: int = 0
    pause_s: float = 0.0
    seed: int = 1

    def lengths(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Prompts, answers and cached tokens of every request."""
        random = np.random.default_rng(self.seed)

        def drawn(tokens: int) -> np.ndarray:
            least = max(1, round(tokens * self.least_share))
            return random.integers(least, max(least, tokens) + 1, self.requests)

        prompts, answers = drawn(self.input_tokens), drawn(self.output_tokens)
        return prompts, answers, np.full(self.requests, self.cached_tokens, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Latencies:
    """Of every answered request, in the order of arrival: seconds, and the tokens of its prompt and answer."""

    arrived_s: np.ndarray
    input_tokens: np.ndarray
    output_tokens: np.ndarray
    ttft_s: np.ndarray
    e2e_s: np.ndarray

    @property
    def tpot_s(self) -> np.ndarray:
        """(e2e - TTFT) / (answer - 1); NaN for an answer of one token."""
        steps = self.output_tokens - 1.0
        return np.where(steps > 0, (self.e2e_s - self.ttft_s) / np.maximum(steps, 1.0), np.nan)


def play_closed_loop(cost: StepCost, limits: EngineLimits, load: ClosedLoad) -> Latencies:
    """The load on a replica of that cost.

    Raises:
        ValueError: if the longest request fits neither the context nor the KV cache.
    """
    longest, room = load.input_tokens + load.output_tokens, limits.kv_blocks * limits.block_tokens
    if longest > min(room, limits.max_context_tokens):
        raise ValueError(f"inputTokens + outputTokens is {longest}; allowed: {min(room, limits.max_context_tokens)}")
    service, meter = _replica(cost, limits)
    service.play_closed(load.users, load.pause_s, *load.lengths())
    return meter.latencies()


def play_arrivals(cost: StepCost, limits: EngineLimits, arrivals: Arrivals, until_s: float) -> Latencies:
    """Requests at their own times (seconds from 0) on a replica of that cost; those not over by `until_s` are not in
    the result."""
    service, meter = _replica(cost, limits)
    service.play(until_s, arrivals)
    return meter.latencies()


@dataclass(slots=True)
class _Rows(RequestMeter):
    rows: list[np.ndarray] = field(default_factory=list)

    def conclude(self, rows: np.ndarray) -> None:
        self.rows.append(rows[~np.isnan(rows[:, s.DONE_END])].copy())

    def latencies(self) -> Latencies:
        rows = np.concatenate([np.empty((0, s.DONE_COLUMNS)), *self.rows])
        rows = rows[np.lexsort((rows[:, s.DONE_OSL], rows[:, s.DONE_ISL], rows[:, s.DONE_ARRIVED]))]
        arrived_s = rows[:, s.DONE_ARRIVED]
        return Latencies(
            arrived_s=arrived_s,
            input_tokens=rows[:, s.DONE_ISL],
            output_tokens=rows[:, s.DONE_OSL],
            ttft_s=rows[:, s.DONE_FIRST] - arrived_s,
            e2e_s=rows[:, s.DONE_END] - arrived_s,
        )


def _replica(cost: StepCost, limits: EngineLimits) -> tuple[Service, _Rows]:
    name = "bench"
    ref = ScaleTargetRef("apps/v1", "Deployment", name)
    variant = Variant(name, ref, Role.BOTH, "H100", 1, CapacityType.ON_DEMAND, 0.0, 1, 1)
    target = Target(name, name, "llama-3.1-8b", (variant,), Policy(Mode.SHADOW, Slo(1.0, 1.0)))
    meter = _Rows(target.policy.slo)
    service = Service(target, meter)
    service.open(Workload(name, target, variant, cost, limits, ColdStartStages(), 1), 0.0)
    return service, meter
