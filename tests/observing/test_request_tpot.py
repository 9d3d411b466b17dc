"""What the gaps between tokens say of requests' mean time per output token."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.domain.observation import Histogram, Observation, Sample
from controlplane.observing import SampleWindow, observe
from controlplane.observing.request_tpot import request_means
from tests.builders import NOW_S, make_target
from tests.observing.test_observe import ready

BOUNDS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
STEP_S, CHUNK_S, SLOW_S = 0.03, 0.25, 0.14
"""A step without a prompt, one beside a prompt's chunk, and one of a replica that has too much to do."""


def gaps(counts: dict[float, float]) -> Histogram:
    cumulative = tuple(sum(n for gap_s, n in counts.items() if gap_s <= bound) for bound in BOUNDS)
    return Histogram(BOUNDS, cumulative, sum(gap_s * n for gap_s, n in counts.items()), sum(counts.values()))


def seen(counts: dict[float, float], requests: float = 100.0, **more: Histogram) -> Observation:
    """A minute of an SGLang page with such gaps; every request's TTFT is well within the limit."""
    nothing = gaps({})
    first = Sample("r1", "h100", NOW_S - 60.0, running=5.0, waiting=0.0, finished_total=0.0)
    first = replace(first, prompt_tokens_total=0.0, generation_tokens_total=0.0, itl_s=nothing, ttft_s=nothing)
    first = replace(first, **dict.fromkeys(more, nothing))
    tokens = sum(counts.values()) + requests
    last = replace(first, at_s=NOW_S, finished_total=requests, generation_tokens_total=tokens)
    last = replace(last, prompt_tokens_total=900.0 * requests, itl_s=gaps(counts), ttft_s=gaps({0.2: requests}))
    last = replace(last, **more)
    _, window = observe(make_target(), {"h100": 1}, ready("r1"), [first], SampleWindow(), NOW_S - 60.0)
    return observe(make_target(), {"h100": 1}, ready("r1"), [last], window, NOW_S)[0]


def test_gaps_beside_a_chunk_are_no_requests_that_missed() -> None:
    found = seen({STEP_S: 17_000.0, CHUNK_S: 900.0})
    tpot = found.variants[0].tpot
    assert tpot is not None
    assert tpot.count == pytest.approx(100.0)
    assert tpot.mean_s == pytest.approx((17_000 * STEP_S + 900 * CHUNK_S) / 17_900)
    assert tpot.within_slo > 0.999, "a twentieth of the gaps is above the limit, and no request's mean"
    assert found.attainment is not None
    assert found.attainment > 0.999


def test_short_answers_miss_where_gaps_are_unlike() -> None:
    """At half the limit in the mean an answer of ten tokens may have met two chunks, one of two hundred has not."""
    uneven = {STEP_S: 9_000.0, CHUNK_S: 1_000.0}
    short, long = (seen(uneven, requests=10_000.0 / tokens).variants[0].tpot for tokens in (10.0, 200.0))
    assert short is not None
    assert long is not None
    assert long.within_slo > 0.99
    assert 0.8 < short.within_slo < 0.97


def test_gaps_that_are_all_too_long_are_requests_that_missed() -> None:
    tpot = seen({SLOW_S: 17_900.0}).variants[0].tpot
    assert tpot is not None
    assert tpot.within_slo < 0.001


def test_a_page_that_tells_requests_means_is_believed() -> None:
    tpot = seen({STEP_S: 17_000.0, CHUNK_S: 900.0}, tpot_s=gaps({SLOW_S: 20.0, STEP_S: 80.0})).variants[0].tpot
    assert tpot is not None
    assert tpot.within_slo == pytest.approx(0.8)


def test_lengths_that_are_told_are_taken() -> None:
    """Half of the answers have two tokens, which nobody knows of a mean."""
    uneven, two_kinds = gaps({STEP_S: 9_000.0, CHUNK_S: 1_000.0}), Histogram((2.0, 400.0), (50.0, 100.0), 20_000.0, 100)
    told, untold = request_means(uneven, two_kinds, 10_100.0, 100.0), request_means(uneven, None, 10_100.0, 100.0)
    assert told is not None
    assert untold is not None
    assert told.cumulative[4] < untold.cumulative[4] - 1.0


@pytest.mark.parametrize(
    ("tokens", "requests"), [(None, 10.0), (100.0, None), (0.0, 10.0), (100.0, 0.0), (-5.0, 10.0), (100.0, -1.0)]
)
def test_nothing_is_made_of_what_is_not_told(tokens: float | None, requests: float | None) -> None:
    assert request_means(gaps({STEP_S: 100.0}), None, tokens, requests) is None
    assert request_means(gaps({}), None, 100.0, 10.0) is None
    assert request_means(None, None, 100.0, 10.0) is None
