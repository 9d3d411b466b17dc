"""The arithmetic of a load run, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.measurement import Latency, Measurement
from controlplane.domain.target import Slo
from controlplane.planning.load_run import Outcome, latency, poisson_arrivals, random_prompt, summarise
from controlplane.planning.pareto import frontier, points
from controlplane.planning.rate_search import Tried, bounds, next_rate

SLO = Slo(1.0, 0.1)
GOOD = Outcome(0.0, 0.0, (0.5, 0.6, 0.8), 100, 5)


def test_latencies_of_one_request() -> None:
    assert GOOD.ttft_s == 0.5
    assert GOOD.e2e_s == 0.8
    # five tokens in three chunks: (0.8 - 0.5) / 4
    assert GOOD.tpot_s == pytest.approx(0.075)


def test_one_token_has_no_tpot_and_is_judged_by_its_ttft() -> None:
    assert Outcome(0, 0, (0.9,), 10, 1).tpot_s is None
    assert Outcome(0, 0, (0.9,), 10, 1).good(SLO)
    assert not Outcome(0, 0, (1.1,), 10, 1).good(SLO)


@pytest.mark.parametrize(
    ("outcome", "good"),
    [
        (GOOD, True),
        (Outcome(0, 0, (1.01, 1.02), 10, 2), False),
        (Outcome(0, 0, (0.5, 0.71), 10, 3), False),
        (Outcome(0, 0, (0.1, 0.2), 10, 2, "cut"), False),
        (Outcome(0, 0, (), None, None, "500"), False),
    ],
)
def test_goodness(outcome: Outcome, good: bool) -> None:
    assert outcome.good(SLO if outcome.tokens != 3 else Slo(1.0, 0.1)) is good


def test_a_run_by_hand() -> None:
    slow = Outcome(1.0, 1.0, (3.0, 3.1), 300, 2)
    failed = Outcome(2.0, 2.2, (), None, None, "500")
    run = summarise([GOOD, slow, failed], 1.5, 2.0, SLO, "tidegate", "m")
    assert (run.requests, run.failed) == (3, 1)
    assert run.attainment == pytest.approx(1 / 3)
    assert run.goodput_rps == pytest.approx(0.5)
    # The last answer ended 3.1 s after the first was due: 2 requests and 7 tokens in that time.
    assert run.duration_s == pytest.approx(3.1)
    assert run.throughput_rps == pytest.approx(2 / 3.1)
    assert run.output_tokens_per_s == pytest.approx(7 / 3.1)
    assert run.concurrency == pytest.approx((0.8 + 2.1) / 3.1)
    assert run.input_tokens == 200
    assert run.ttft == Latency(pytest.approx(1.25), pytest.approx(1.25), pytest.approx(1.985))
    assert run.itl is not None
    assert run.itl.p50_s == pytest.approx(0.1)
    assert run.notes == ("1 failed: 500", "1 of 3 requests were sent over 50 ms late: this client is busy")


def test_a_run_without_requests_says_nothing() -> None:
    run = summarise([], 0.1, 5.0, SLO, "tidegate", "m")
    assert run.attainment is None
    assert run.ttft is None
    assert run.input_tokens is None


def test_latency_of_nothing_is_not_zero() -> None:
    assert latency([None, None]) is None


@given(st.floats(0.1, 50), st.floats(0.1, 20), st.integers(0, 1000))
def test_arrivals_are_sorted_within_the_window_and_the_seeds(rate: float, duration: float, seed: int) -> None:
    first = poisson_arrivals(rate, duration, np.random.default_rng(seed))
    assert first == poisson_arrivals(rate, duration, np.random.default_rng(seed))
    assert list(first) == sorted(first)
    assert all(0 <= at < duration for at in first)


def test_arrivals_come_at_their_rate_and_unevenly() -> None:
    gaps = np.diff(poisson_arrivals(20.0, 500.0, np.random.default_rng(1)))
    assert gaps.mean() == pytest.approx(0.05, rel=0.05)
    # The gaps of a Poisson process are exponential: their deviation is their mean.
    assert gaps.std() == pytest.approx(0.05, rel=0.07)


def test_a_prompt_has_its_words() -> None:
    assert len(random_prompt(37, np.random.default_rng(0)).split()) == 37


# Bisection


@given(st.floats(0.01, 5000.0), st.floats(0.05, 500.0))
def test_bisection_ends_at_the_servers_rate(true_rps: float, start_rps: float) -> None:
    tried: list[Tried] = []
    while (rate := next_rate(tried, start_rps, 0.05, 60)) is not None:
        tried.append(Tried(rate, rate <= true_rps))
    met, missed = bounds(tried)
    assert met is not None
    assert missed is not None
    assert met <= true_rps < missed <= met * 1.05 * (1 + 1e-9)


def test_bisection_by_hand() -> None:
    tried = [Tried(1.0, True)]
    assert next_rate(tried, 1.0, 0.05, 12) == 2.0
    tried += [Tried(2.0, True), Tried(4.0, False)]
    assert next_rate(tried, 1.0, 0.05, 12) == pytest.approx(8**0.5)
    assert next_rate(tried, 1.0, 0.05, 3) is None
    # A lucky run above a miss does not count.
    assert bounds([*tried, Tried(5.0, True)]) == (2.0, 4.0)


# Pareto


def run_of(tpot_s: float | None, tokens_per_s: float) -> Measurement:
    tpot = None if tpot_s is None else Latency(tpot_s, None, None)
    return Measurement("t", None, 1.0, None, None, None, 1, 0, None, None, tpot, None, None, tokens_per_s)


def test_the_frontier_keeps_what_nothing_beats_in_both() -> None:
    found = points([run_of(0.01, 100), run_of(0.02, 400), run_of(0.025, 300), run_of(0.04, 500), run_of(None, 9)], 2)
    assert [(p.per_user, p.per_gpu) for p in frontier(found)] == [(100, 50), (50, 200), (25, 250)]


@given(st.lists(st.tuples(st.floats(0.001, 1), st.floats(0, 1e5)), max_size=30))
def test_no_point_beats_the_frontier(pairs: list[tuple[float, float]]) -> None:
    found = points([run_of(tpot_s, rate) for tpot_s, rate in pairs], 1)
    best = frontier(found)
    for point in found:
        assert any(b.per_user >= point.per_user and b.per_gpu >= point.per_gpu for b in best)
