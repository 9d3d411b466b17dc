"""What one simulated engine counts, as vLLM counts it: counters and histograms since its start."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
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
    """A histogram that grows."""

    __slots__ = ("bounds", "count", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0.0] * (len(bounds) + 1)
        self.sum = 0.0
        self.count = 0.0

    def observe(self, value: float, times: float = 1.0) -> None:
        """Count `value` that many times."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.sum += value * times
        self.count += times

    def snapshot(self) -> Histogram:
        """The histogram as a metrics page shows it."""
        return Histogram(self.bounds, tuple(accumulate(self.counts[:-1])), self.sum, self.count)


@dataclass(slots=True)
class Telemetry:
    """One engine's counters; the names are vLLM's without the prefix."""

    max_model_len: float
    prompt_tokens_total: float = 0.0
    generation_tokens_total: float = 0.0
    finished_total: float = 0.0
    preemptions_total: float = 0.0
    ttft: BucketCounts = field(default_factory=lambda: BucketCounts(TTFT_BOUNDS))
    itl: BucketCounts = field(default_factory=lambda: BucketCounts(TOKEN_TIME_BOUNDS))
    tpot: BucketCounts = field(default_factory=lambda: BucketCounts(TOKEN_TIME_BOUNDS))
    e2e: BucketCounts = field(default_factory=lambda: BucketCounts(REQUEST_TIME_BOUNDS))
    queue: BucketCounts = field(default_factory=lambda: BucketCounts(REQUEST_TIME_BOUNDS))
    inference: BucketCounts = field(default_factory=lambda: BucketCounts(REQUEST_TIME_BOUNDS))
    prefill: BucketCounts = field(default_factory=lambda: BucketCounts(REQUEST_TIME_BOUNDS))
    decode: BucketCounts = field(default_factory=lambda: BucketCounts(REQUEST_TIME_BOUNDS))
    iteration_tokens: BucketCounts = field(default_factory=lambda: BucketCounts(ITERATION_BOUNDS))
    prompt_tokens: BucketCounts = field(init=False)
    generation_tokens: BucketCounts = field(init=False)

    def __post_init__(self) -> None:
        self.prompt_tokens = BucketCounts(one_two_five(self.max_model_len))
        self.generation_tokens = BucketCounts(one_two_five(self.max_model_len))
