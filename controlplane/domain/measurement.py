"""What a load run showed: one engine at one load, measured here or imported from another tool."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latency:
    """Of one kind over the finished requests, seconds; what the source does not say is None."""

    mean_s: float | None
    p50_s: float | None
    p99_s: float | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run. What the source does not say is None.

    `rate_rps` is what was offered (None: as fast as `concurrency` allowed), `concurrency` the mean number of requests
    in flight. TPOT is `(e2e - TTFT) / (n - 1)` per request, ITL the gap between two chunks of the stream. A request is
    good when it finished without an error and within the SLO; `attainment` is their share of all, failed ones included.
    """

    source: str
    model: str | None
    rate_rps: float | None
    concurrency: float | None
    input_tokens: float | None
    output_tokens: float | None
    requests: int
    failed: int
    duration_s: float | None
    ttft: Latency | None
    tpot: Latency | None
    itl: Latency | None
    throughput_rps: float | None
    output_tokens_per_s: float | None
    goodput_rps: float | None = None
    attainment: float | None = None
    notes: tuple[str, ...] = ()
