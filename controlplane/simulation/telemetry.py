"""What one simulated engine counts, as vLLM counts it: counters and histograms since its start."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate

from controlplane.domain.observation import Histogram


def one_two_five(limit: float) -> tuple[float, ...]:
    """1, 2, 5, 10, 20, 50... up to `limit`: vLLM's `build_1_2_5_buckets`."""
    bounds = [m * 10.0**e for e in range(10) for m in (1, 2, 5)]
    return tuple(b for b in bounds if b <= limit)


TTFT_BOUNDS = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0),
    *(40.0, 80.0, 160.0, 640.0, 2560.0),
)
TOKEN_TIME_BOUNDS = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
)
REQUEST_TIME_BOUNDS = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0),
    *(960.0, 1920.0, 7680.0),
)
ITERATION_BOUNDS = (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)


class BucketCounts:
    """A histogram at one moment: `counts` by bucket, the last one for what is above every bound."""

    __slots__ = ("bounds", "count", "counts", "sum")

    def __init__(
        self, bounds: tuple[float, ...], counts: list[float] | None = None, total: float = 0.0, count: float = 0.0
    ) -> None:
        self.bounds = bounds
        self.counts = counts if counts is not None else [0.0] * (len(bounds) + 1)
        self.sum = total
        self.count = count

    def observe(self, value: float, times: float = 1.0) -> None:
        """Count `value` that many times."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.sum += value * times
        self.count += times

    def snapshot(self) -> Histogram:
        """The histogram as a metrics page shows it."""
        return Histogram(self.bounds, tuple(accumulate(self.counts[:-1])), self.sum, self.count)


MAX_LENGTH_TOKENS = 1e6
"""The longest prompt or answer whose bucket is told apart; contexts of models end before."""

BOUNDS: dict[str, tuple[float, ...]] = {
    "ttft": TTFT_BOUNDS,
    "itl": TOKEN_TIME_BOUNDS,
    "tpot": TOKEN_TIME_BOUNDS,
    "e2e": REQUEST_TIME_BOUNDS,
    "queue": REQUEST_TIME_BOUNDS,
    "inference": REQUEST_TIME_BOUNDS,
    "prefill": REQUEST_TIME_BOUNDS,
    "decode": REQUEST_TIME_BOUNDS,
    "iteration_tokens": tuple(float(b) for b in ITERATION_BOUNDS),
    "prompt_tokens": one_two_five(MAX_LENGTH_TOKENS),
    "generation_tokens": one_two_five(MAX_LENGTH_TOKENS),
}
"""Bounds of every histogram that an engine keeps, in the order of the core's rows; the names are vLLM's, shortened."""


@dataclass(frozen=True, slots=True)
class Telemetry:
    """One engine's counters since its start, at one moment; the names are vLLM's without the prefix."""

    prompt_tokens_total: float
    cached_tokens_total: float
    generation_tokens_total: float
    finished_total: float
    preemptions_total: float
    ttft: BucketCounts
    itl: BucketCounts
    tpot: BucketCounts
    e2e: BucketCounts
    queue: BucketCounts
    inference: BucketCounts
    prefill: BucketCounts
    decode: BucketCounts
    iteration_tokens: BucketCounts
    prompt_tokens: BucketCounts
    generation_tokens: BucketCounts
