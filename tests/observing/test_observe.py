"""Samples and replicas -> an Observation: rates, faults, and the load of whole and of split targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.observation import (
    FaultKind,
    Histogram,
    Observation,
    Replica,
    ReplicaPhase,
    Sample,
    VariantObservation,
)
from controlplane.domain.target import Role, Target
from controlplane.observing import SampleWindow, observe
from controlplane.observing.histograms import difference, mean_square, quantile, share_within, total
from tests.builders import NOW_S, make_target, make_variant

STEP_S = 15.0


def lengths(mean: float, count: float) -> Histogram:
    return Histogram((10_000.0,), (count,), mean * count, count)


def sample(
    replica: str, variant: str, at_s: float, finished: float, waiting: float = 0.0, osl: float = 200.0
) -> Sample:
    """An engine that finished so many requests of 1,000 and `osl` tokens since it started, long ago."""
    return Sample(
        replica,
        variant,
        at_s,
        running=4.0,
        waiting=waiting,
        kv_usage=0.2,
        finished_total=finished,
        generation_tokens_total=osl * finished,
        prompt_tokens_total=1000.0 * finished,
        started_at_s=0.0,
        ttft_s=Histogram((1.0, 2.0), (finished / 2, finished), finished, finished),
        prompt_tokens=lengths(1000.0, finished),
        generation_tokens=lengths(osl, finished),
    )


def ready(*names: str, variant: str = "h100") -> list[Replica]:
    return [Replica(name, variant, ReplicaPhase.READY, 0.0, 1.0) for name in names]


def play(target: Target, replicas: Sequence[Replica], scrapes: Sequence[Sequence[Sample]]) -> Observation:
    """The last observation of scrapes that are `STEP_S` apart; sample times are seconds since the first."""
    window = SampleWindow()
    for place, scrape in enumerate(scrapes):
        now_s = NOW_S + place * STEP_S
        desired: Mapping[str, int] = {"h100": len(replicas)}
        shifted = [replace(s, at_s=NOW_S + s.at_s) for s in scrape]
        seen, window = observe(target, desired, replicas, shifted, window, now_s)
    return seen


def test_one_sample_of_an_old_engine_says_no_rate() -> None:
    seen = play(make_target(), ready("r1"), [[sample("r1", "h100", 0.0, 500.0)]])
    assert seen.load is None
    assert seen.coverage == 1.0


def test_a_queue_that_grows_counts_as_arrivals() -> None:
    scrapes = [[sample("r1", "h100", t, 100.0 + 2.0 * t, waiting=1.0 * t)] for t in (0.0, 15.0, 30.0, 45.0, 60.0)]
    seen = play(make_target(), ready("r1"), scrapes)
    assert seen.load is not None
    assert seen.load.requests_per_s == pytest.approx(3.0)
    assert seen.variants[0].finished_rps == pytest.approx(2.0)
    assert seen.load.input_tokens == pytest.approx(1000.0)
    assert seen.load.output_tokens == pytest.approx(200.0)


def test_without_queue_times_those_that_wait_are_counted() -> None:
    queues = {0.0: 9.0, 15.0: 2.0, 30.0: 0.0, 45.0: 1.0, 60.0: 3.0}
    scrapes = [
        [sample(name, "h100", t, 100.0 + 2.0 * t, waiting=queue) for name in ("r1", "r2")]
        for t, queue in queues.items()
    ]
    seen = play(make_target(), ready("r1", "r2"), scrapes).variants[0]
    assert seen.queue_s is None
    assert seen.queued_mean == pytest.approx(2 * 6.0 / 4.0)  # the window's first scrape is of what was before
    told = [
        [
            replace(s, queue_time_s=Histogram((1.0,), (s.finished_total or 0.0,), 0.5, s.finished_total or 0.0))
            for s in each
        ]
        for each in scrapes
    ]
    seen = play(make_target(), ready("r1", "r2"), told).variants[0]
    assert seen.queue_s == 0.0
    assert seen.queued_mean is None


def test_replicas_that_do_not_report_do_not_make_the_load_smaller() -> None:
    names = [f"r{i}" for i in range(10)]
    scrapes = [
        [sample(n, "h100", place * STEP_S, 100.0 + place * STEP_S) for n in (names if place < 5 else names[:7])]
        for place in range(30)
    ]
    for length in (5, 15, 30):
        seen = play(make_target(), ready(*names), scrapes[:length])
        assert seen.load is not None
        assert seen.load.requests_per_s == pytest.approx(10.0)
    assert seen.coverage == pytest.approx(0.7)


def test_a_page_that_no_longer_comes_is_stale() -> None:
    scrapes: list[list[Sample]] = [[sample("r1", "h100", 0.0, 10.0)], [sample("r1", "h100", 15.0, 20.0)]]
    seen = play(make_target(), ready("r1"), [*scrapes, *([[]] * 12)])
    assert [fault.kind for fault in seen.faults] == [FaultKind.STALE]
    assert (seen.coverage, seen.load, seen.variants[0].running) == (0.0, None, None)


def test_the_same_scrape_seen_again_is_one_sample() -> None:
    once = [[sample("r1", "h100", t, 100.0 + 2.0 * t)] for t in (0.0, 30.0)]
    again = [once[0], once[0], once[1], once[1]]
    for scrapes in (once, again):
        seen = play(make_target(), ready("r1"), scrapes)
        assert seen.load is not None
        assert seen.load.requests_per_s == pytest.approx(2.0)


def test_a_restarted_engine_is_a_reset_and_never_a_negative_rate() -> None:
    seen = play(make_target(), ready("r1"), [[sample("r1", "h100", 0.0, 900.0)], [sample("r1", "h100", 15.0, 3.0)]])
    assert FaultKind.RESET in {fault.kind for fault in seen.faults}
    assert seen.load is None
    assert seen.variants[0].finished_rps is None


def test_a_replica_that_left_takes_nothing_from_the_rest() -> None:
    both = [[sample(n, "h100", t, 100.0 + t) for n in ("r1", "r2")] for t in (0.0, 15.0)]
    seen = play(make_target(), ready("r1"), [*both, [sample("r1", "h100", 30.0, 130.0)]])
    assert seen.load is not None
    assert seen.load.requests_per_s == pytest.approx(1.25)  # and the 15 that r2 took in the minute


def test_a_young_engine_counts_from_its_start() -> None:
    target = make_target()
    fresh = replace(sample("r1", "h100", NOW_S, 60.0), running=0.0, started_at_s=NOW_S - 30.0)
    seen, _ = observe(target, {"h100": 1}, ready("r1"), [fresh], SampleWindow(), NOW_S)
    assert seen.load is not None
    assert seen.load.requests_per_s == pytest.approx(1.0)  # 60 in the minute


def test_a_split_target_counts_each_request_once() -> None:
    target = make_target((make_variant("p", role=Role.PREFILL), make_variant("d", role=Role.DECODE)))
    replicas = [*ready("p1", variant="p"), *ready("d1", variant="d")]
    scrapes = [
        [sample("p1", "p", t, 100.0 + 2 * t, osl=1.0), sample("d1", "d", t, 100.0 + 2 * t)] for t in (0.0, 15.0, 30.0)
    ]
    seen = play(target, replicas, scrapes)
    assert seen.load is not None
    assert seen.load.requests_per_s == pytest.approx(2.0)
    assert seen.load.input_tokens == pytest.approx(1000.0)
    assert seen.load.output_tokens == pytest.approx(200.0)


def test_phases_are_counted_and_only_ready_ones_report() -> None:
    replicas = [
        *ready("r1"),
        Replica("r2", "h100", ReplicaPhase.PENDING, NOW_S - 40.0),
        Replica("r3", "h100", ReplicaPhase.FAILED, NOW_S - 90.0),
        Replica("r4", "h100", ReplicaPhase.TERMINATING, NOW_S - 90.0),
    ]
    seen, _ = observe(make_target(), {}, replicas, [sample("r1", "h100", NOW_S, 5.0)], SampleWindow(), NOW_S)
    one = seen.variants[0]
    assert (one.desired, one.ready, one.pending, one.failed, one.terminating, one.reporting) == (3, 1, 1, 1, 1, 1)
    assert one.oldest_pending_s == 40.0


def restarting(name: str, reason: str, ago_s: float, phase: ReplicaPhase = ReplicaPhase.PENDING) -> Replica:
    """One that was made two hours ago, and was Ready until so long ago."""
    return Replica(name, "h100", phase, NOW_S - 7200.0, reason=reason, last_ready_at_s=NOW_S - ago_s)


def seen_of(*replicas: Replica) -> VariantObservation:
    return observe(make_target(), {}, replicas, [], SampleWindow(), NOW_S)[0].variants[0]


@pytest.mark.parametrize(
    ("reason", "phase"),
    [
        ("NotReady", ReplicaPhase.PENDING),
        ("Starting", ReplicaPhase.PENDING),
        ("ImagePullBackOff", ReplicaPhase.PENDING),
        ("CrashLoopBackOff", ReplicaPhase.FAILED),
    ],
)
def test_one_that_restarts_beside_others_is_pending_since_it_was_last_ready(reason: str, phase: ReplicaPhase) -> None:
    one = seen_of(*ready("r1"), restarting("r2", reason, 30.0, phase))
    assert (one.pending, one.restarting, one.failed, one.crashed) == (1, 1, 0, 0)
    assert (one.oldest_pending_s, one.unschedulable) == (30.0, 0)
    # Beyond the deadline it is not waited for any more.
    late = seen_of(*ready("r1"), restarting("r2", reason, 901.0, phase))
    assert (late.pending, late.restarting, late.failed, late.crashed, late.failing) == (0, 0, 1, 1, reason)
    assert late.oldest_pending_s is None


def test_where_none_serves_the_clusters_word_counts() -> None:
    one = seen_of(restarting("r1", "CrashLoopBackOff", 30.0, ReplicaPhase.FAILED), restarting("r2", "NotReady", 40.0))
    assert (one.pending, one.restarting, one.failed, one.crashed) == (1, 1, 1, 1)
    assert one.oldest_pending_s == 40.0


def test_a_new_one_waits_since_its_creation_beside_one_that_restarts() -> None:
    new = Replica("r3", "h100", ReplicaPhase.PENDING, NOW_S - 300.0, reason="Pending")
    failing = replace(new, name="r4", reason="ImagePullBackOff")
    one = seen_of(*ready("r1"), restarting("r2", "NotReady", 30.0), new, failing)
    assert (one.pending, one.restarting, one.failed, one.crashed) == (2, 1, 1, 0)
    assert (one.oldest_pending_s, one.unschedulable) == (300.0, 1)


def test_without_a_ready_replica_there_is_no_coverage() -> None:
    seen, _ = observe(make_target(), {}, [], [], SampleWindow(), NOW_S)
    assert (seen.coverage, seen.load, seen.attainment, seen.age_s) == (None, None, None, None)


def test_attainment_is_the_share_within_the_slo() -> None:
    def page(at_s: float, good: float, bad: float) -> Sample:
        ttft = Histogram((2.0, 4.0), (good, good + bad), good + 3 * bad, good + bad)
        return replace(sample("r1", "h100", at_s, good + bad), ttft_s=ttft)

    seen = play(make_target(), ready("r1"), [[page(0.0, 50.0, 50.0)], [page(15.0, 140.0, 60.0)]])
    assert seen.attainment == pytest.approx(0.9)


FOUR = Histogram((1.0, 2.0, 4.0), (1.0, 3.0, 4.0), 7.0, 4.0)


def test_histogram_arithmetic_by_hand() -> None:
    assert quantile(FOUR, 0.5) == pytest.approx(1.5)
    assert share_within(FOUR, 1.5) == pytest.approx(0.5), "in the lower half linear"
    assert share_within(FOUR, 3.0) == pytest.approx(1.0 - 0.1**0.5 / 4.0), "nobody was seen above 4"
    tail = Histogram((1.0, 2.5), (950.0, 998.0), 500.0, 1000.0)
    assert share_within(tail, 2.0) == pytest.approx(1.0 - 0.05 * (2.0 / 50.0) ** (2.0 / 3.0))
    assert [share_within(tail, at) for at in (1.0, 2.5, 9.0)] == pytest.approx([0.95, 0.998, 0.998])
    assert difference(FOUR, FOUR) == Histogram((1.0, 2.0, 4.0), (0.0, 0.0, 0.0), 0.0, 0.0)
    assert difference(Histogram((1.0,), (0.0,), 0.0, 0.0), Histogram((1.0,), (1.0,), 1.0, 1.0)) is None
    # Uniform over [0, 1]: E[x^2] = 1/3.
    assert mean_square(Histogram((1.0,), (8.0,), 4.0, 8.0)) == pytest.approx(1 / 3)


@given(st.lists(st.floats(0.0, 500.0), min_size=2, max_size=12), st.floats(0.0, 300.0))
def test_no_rate_is_ever_negative(finished: list[float], waiting: float) -> None:
    scrapes = [
        [sample("r1", "h100", place * STEP_S, done, waiting=waiting * (place % 2))]
        for place, done in enumerate(finished)
    ]
    seen = play(make_target(), ready("r1"), scrapes)
    offered = seen.load.requests_per_s if seen.load else None
    rates = [seen.variants[0].arrival_rps, seen.variants[0].finished_rps, offered]
    assert all(rate is None or rate >= 0.0 for rate in rates)


def test_after_a_reset_the_rate_is_known_again_from_the_second_page_on() -> None:
    totals = [900.0, 930.0, 5.0, 35.0, 65.0]
    seen = play(make_target(), ready("r1"), [[sample("r1", "h100", 15.0 * i, n)] for i, n in enumerate(totals)])
    assert seen.load is not None
    assert seen.load.requests_per_s == pytest.approx(2.0)
    assert FaultKind.RESET not in {fault.kind for fault in seen.faults}


@pytest.mark.parametrize("change", [{"started_at_s": NOW_S + 10.0}, {"variant": "l40s"}])
def test_another_engine_under_the_same_name_is_a_reset(change: dict[str, Any]) -> None:
    target = make_target()
    new = replace(sample("r1", "h100", 15.0, 2000.0), **change)
    seen = play(target, ready("r1", variant=new.variant), [[sample("r1", "h100", 0.0, 100.0)], [new]])
    assert FaultKind.RESET in {fault.kind for fault in seen.faults}
    # A start that the page tells makes the counters those of the last minute.
    assert seen.variants[0].finished_rps == (pytest.approx(2000.0 / 60.0) if "started_at_s" in change else None)


def test_a_family_that_comes_late_does_not_count_since_the_start() -> None:
    bare = replace(sample("r1", "h100", 0.0, 50_000.0), ttft_s=None, finished_total=None)
    seen = play(make_target(), ready("r1"), [[bare], [sample("r1", "h100", 15.0, 50_030.0)]])
    assert seen.load is None or seen.load.requests_per_s < 3.0
    assert seen.variants[0].ttft is None


@pytest.mark.parametrize("start_s", [NOW_S + 5e7, None])
def test_a_start_in_another_clock_says_nothing(start_s: float | None) -> None:
    page = replace(sample("r1", "h100", 0.0, 50_000.0), started_at_s=start_s)
    assert play(make_target(), ready("r1"), [[page]]).load is None


BARE = {"prompt_tokens": None, "generation_tokens": None}
"""Of a page without histograms of lengths."""


@pytest.mark.parametrize(
    "lacking",
    [
        BARE,
        {**BARE, "ttft_s": None},
        {"finished_total": None},
        {"running": None},
        {**BARE, "finished_total": None, "running": None},
        {"prompt_tokens_total": None, "generation_tokens_total": None, "finished_total": None},
        {**BARE, "ttft_s": None, "waiting": None},
    ],
)
def test_what_a_page_lacks_is_derived_from_what_it_has(lacking: dict[str, Any]) -> None:
    scrapes = [[replace(sample("r1", "h100", 15.0 * i, 100.0 + 30.0 * i), **lacking)] for i in range(5)]
    seen = play(make_target(), ready("r1"), scrapes)
    assert seen.load is not None
    assert seen.load.requests_per_s == pytest.approx(2.0)
    assert (seen.load.input_tokens, seen.load.output_tokens) == (pytest.approx(1000.0), pytest.approx(200.0))
    assert seen.coverage == 1.0


def test_without_histograms_lengths_are_taken_as_exponential() -> None:
    scrapes = [[replace(sample("r1", "h100", 15.0 * i, 30.0 * i), **BARE)] for i in range(3)]
    load = play(make_target(), ready("r1"), scrapes).load
    assert load is not None
    assert load.context_tokens_weighted == pytest.approx(200.0 * 1000.0 + 2 * 200.0**2 / 2)
    assert (load.input_lengths, load.input_tokens_squared) == ((), None)


def test_an_idle_page_without_histograms_keeps_its_lengths() -> None:
    scrapes = [[replace(sample("r1", "h100", 15.0 * i, 500.0), running=0.0, **BARE)] for i in range(40)]
    load = play(make_target(), ready("r1"), scrapes).load
    assert load is not None
    assert (load.requests_per_s, load.input_tokens, load.output_tokens) == (0.0, 1000.0, 200.0)


def test_the_step_is_known_from_the_batch_where_no_latency_is() -> None:
    # 4 in the batch, 400 tokens/s: each gets one in 10 ms.
    scrapes = [[replace(sample("r1", "h100", 15.0 * i, 30.0 * i), ttft_s=None)] for i in range(3)]
    assert play(make_target(), ready("r1"), scrapes).variants[0].step_time_s == pytest.approx(0.01)


def test_unlike_buckets_add_up_at_their_common_bounds() -> None:
    fine, coarse = Histogram((1.0, 2.0, 4.0), (1.0, 3.0, 4.0), 7.0, 4.0), Histogram((2.0, 4.0), (5.0, 6.0), 9.0, 6.0)
    assert total([fine, None, coarse]) == Histogram((2.0, 4.0), (8.0, 10.0), 16.0, 10.0)
    alien = Histogram((3.0, 5.0), (8.0, 9.0), 20.0, 9.0)
    assert total([fine, alien]) == alien  # nothing in common: the one with more observations
