"""One number for a whole target, of what its variants showed: what lists and charts draw."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Literal

from controlplane.domain.observation import LatencySummary, Observation, VariantObservation


def waiting(seen: Observation) -> float | None:
    """Requests in the engines' queues; None where no replica said."""
    return _sum([v.waiting for v in seen.variants])


def running(seen: Observation) -> float | None:
    """Requests in the engines."""
    return _sum([v.running for v in seen.variants])


def kv_usage(seen: Observation) -> float | None:
    """The fullest variant's mean share of KV cache in use."""
    return max((v.kv_usage_mean for v in seen.variants if v.kv_usage_mean is not None), default=None)


def slowest(seen: Observation, what: Literal["ttft", "tpot"], among: AbstractSet[str]) -> LatencySummary | None:
    """The summary of the slowest of the variants `among`: a user may be sent to any."""
    known = [found for v in seen.variants if v.variant in among and (found := _latency(v, what)) is not None]
    return max(known, key=lambda summary: summary.p99_s, default=None)


def existing(seen: VariantObservation | None) -> int:
    """Replicas that are there and paid for, whatever state they are in."""
    return 0 if seen is None else seen.ready + seen.pending + seen.terminating + seen.failed


def _latency(seen: VariantObservation, what: Literal["ttft", "tpot"]) -> LatencySummary | None:
    return seen.ttft if what == "ttft" else seen.tpot


def _sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
