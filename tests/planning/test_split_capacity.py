"""Roles apart: prefill and decode capacities, and how prompts' speed is read off the pages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.domain.decision import CapacityBound, Demand
from controlplane.domain.observation import LatencySummary, VariantObservation
from controlplane.domain.target import CapacityType, Mode, Policy, Role, ScaleTargetRef, Slo, Target, Variant
from controlplane.planning.calibration import PRIOR, read_s
from controlplane.planning.capacity import EDGE, capacity

REF = ScaleTargetRef("apps/v1", "Deployment", "chat")
PREFILL = Variant("prefill", REF, Role.PREFILL, "H100", 4, CapacityType.ON_DEMAND, 16.0, 1, 100)
DECODE = replace(PREFILL, name="decode", role=Role.DECODE)
TARGET = Target("default", "chat", "llama-3.1-70b", (PREFILL, DECODE), Policy(Mode.LIVE, Slo(5.0, 0.1)))
KNOWN = replace(PRIOR, deviation=0.0)
DEMAND = Demand(
    requests_per_s=60.0,
    low_requests_per_s=60.0,
    backlog_rps=0.0,
    input_tokens=1500.0,
    output_tokens=150.0,
    context_tokens_weighted=150.0 * 1575.0,
    cached_share=0.0,
    source="test",
    input_tokens_squared=2.0 * 1500.0**2,
)


def rate(variant: Variant, demand: Demand = DEMAND) -> float:
    return capacity(TARGET, variant, demand, KNOWN).requests_per_s


@pytest.mark.parametrize(
    ("horizon_s", "edge"),
    [(75.0, 0.918), (130.0, 0.89), (195.0, 0.87), (290.0, 0.85), (435.0, 0.83), (5.0, 0.92), (4000.0, 0.83)],
)
def test_who_waits_longer_for_more_keeps_further_from_the_edge(horizon_s: float, edge: float) -> None:
    assert EDGE == 0.87
    for variant in (PREFILL, DECODE):
        found = capacity(TARGET, variant, DEMAND, KNOWN, horizon_s).requests_per_s
        assert found == pytest.approx(rate(variant) * edge / EDGE, rel=1e-3)


def test_few_prefill_replicas_carry_less_each() -> None:
    tight = replace(TARGET, policy=Policy(Mode.LIVE, Slo(1.0, 0.1)))
    alone = capacity(tight, PREFILL, replace(DEMAND, requests_per_s=3.0, low_requests_per_s=3.0), KNOWN)
    many = capacity(tight, PREFILL, replace(DEMAND, requests_per_s=300.0, low_requests_per_s=300.0), KNOWN)
    assert alone.bound is many.bound is CapacityBound.TTFT
    assert alone.requests_per_s < 0.8 * many.requests_per_s


def test_long_contexts_are_bound_by_the_cache_and_their_spread() -> None:
    long = replace(DEMAND, input_tokens=20_000.0, context_tokens_weighted=150.0 * 20_075.0)
    same = replace(long, input_lengths=(20_000.0,) * 12, output_lengths=(150.0,) * 12)
    assert rate(DECODE, long) <= rate(DECODE, same) < rate(DECODE)


def seen(
    ttft_s: float, queue_s: float | None, replicas: int = 16, queued_mean: float | None = None
) -> VariantObservation:
    summary = LatencySummary(1000.0, ttft_s, ttft_s, ttft_s, ttft_s, 1.0)
    return VariantObservation(
        "prefill", replicas, replicas, 0, 0, 0, replicas, ttft=summary, queue_s=queue_s, queued_mean=queued_mean
    )


def test_a_prompts_reading_is_its_latency_without_the_queue() -> None:
    # Sixteen replicas half busy: hardly any prompt shares its steps.
    assert read_s(seen(0.25, 0.05), rate=2.5, spread=2.0) == pytest.approx(0.2, rel=0.01)


def test_prompts_that_waited_are_read_together() -> None:
    # 0.85 busy with s = 0.1 on four: 0.85^2.162 = 0.704 wait 2/(2*4*0.15) = 1.667 services, so x = 1.173 and reading
    # takes 1 + 0.6x/(1 + 0.35x) = 1.499 times as long.
    assert read_s(seen(0.3499, 0.2, replicas=4), rate=8.5, spread=2.0) == pytest.approx(0.1, rel=0.01)


def test_without_queue_times_the_queue_is_guessed() -> None:
    # s + rate*s^2 = 0.12 at s = 0.1 and rate 2.
    assert read_s(seen(0.12, None), rate=2.0, spread=2.0) == pytest.approx(0.1)


def test_without_queue_times_the_queue_is_what_the_pages_count() -> None:
    # 16 replicas take 5 prompts/s each, of which 1.6 wait in the mean: 0.02 s each.
    assert read_s(seen(0.12, None, queued_mean=1.6), rate=5.0, spread=2.0) == pytest.approx(0.1, rel=0.01)
    assert read_s(seen(0.1, None, queued_mean=0.0), rate=5.0, spread=2.0) == pytest.approx(0.1, rel=0.01)


def test_a_queue_that_grows_does_not_make_reading_look_fast() -> None:
    # More wait now than did before those that were read: nothing would be left for the reading.
    growing = seen(2.0, None, queued_mean=16 * 30.0)
    assert read_s(growing, rate=10.0, spread=2.0) == read_s(seen(2.0, None), rate=10.0, spread=2.0) > 0.3
