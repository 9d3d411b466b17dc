"""A load that comes back after a silence, and lengths that are followed by the minute."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from controlplane.domain.observation import Histogram, Load, Sample
from controlplane.observing import SampleWindow, observe
from controlplane.observing.observe import LENGTH_ERROR, MANY_REQUESTS, MARKED
from tests.builders import NOW_S, make_target
from tests.observing.test_observe import STEP_S, ready, sample

NAMES = ("r1", "r2")


def after(rates: list[float]) -> Load:
    """The load at the last of the scrapes between which so many requests/s came to either replica."""
    window, taken = SampleWindow(), 5000.0
    for place, rate in enumerate([0.0, *rates]):
        now_s, taken = NOW_S + place * STEP_S, taken + rate * STEP_S
        scrape = [replace(sample(name, "h100", now_s, taken), running=0.0) for name in NAMES]
        seen, window = observe(make_target(), {"h100": 2}, ready(*NAMES), scrape, window, now_s)
    assert seen.load is not None
    return seen.load


def test_what_comes_back_after_a_silence_is_seen_at_the_first_scrape() -> None:
    load = after([50.0] * 6 + [0.0] * 4 + [50.0])
    assert load.requests_per_s == pytest.approx(25.0)
    assert load.newest_rps == pytest.approx(100.0)


@pytest.mark.parametrize("newest", [0.0, 45.0, 50.0, 50.0 * (1.0 + MARKED)])
def test_nothing_is_said_of_what_is_hardly_more_than_the_minutes_mean(newest: float) -> None:
    assert after([50.0] * 6 + [newest]).newest_rps is None


def test_few_requests_are_chance() -> None:
    assert after([0.1] * 6 + [0.4]).newest_rps is None, "six more of them in a quarter of a minute"


def counters(name: str, at_s: float, tokens: float, finished: float) -> Sample:
    """A page of five lines."""
    return Sample(
        name,
        "h100",
        at_s,
        running=0.0,
        waiting=0.0,
        finished_total=finished,
        prompt_tokens_total=tokens,
        generation_tokens_total=tokens,
    )


@pytest.mark.parametrize(("rps", "tokens"), [(40.0, 200.0), (1.0, 100.0 * (8 + 2 * 4) / 12)])
def test_without_histograms_too_the_mix_of_many_requests_is_followed_by_the_minute(rps: float, tokens: float) -> None:
    """Prompts of 100 tokens for two minutes, then of 200 for one."""
    window, made, finished = SampleWindow(), 0.0, 0.0
    for place in range(13):
        now_s, long = NOW_S + place * STEP_S, place > 8
        finished, made = finished + rps * STEP_S, made + rps * STEP_S * (200.0 if long else 100.0)
        scrape = [counters("r1", now_s, made, finished)]
        seen, window = observe(make_target(), {"h100": 1}, ready("r1"), scrape, window, now_s)
    assert seen.load is not None
    assert MANY_REQUESTS == 1000
    assert seen.load.input_tokens == pytest.approx(tokens, rel=0.01)


@pytest.mark.parametrize(("sigma", "by_the_minute"), [(0.5, True), (2.2, False)])
def test_heavy_tails_are_not_followed_by_the_minute(sigma: float, by_the_minute: bool) -> None:
    """Log-normal lengths whose mean doubles in the last minute: 1,500 of them tell of a mean to 1 %, or to 25 %."""
    bounds = tuple(float(2**k) for k in range(1, 22))
    rng, window, seen = np.random.default_rng(1), SampleWindow(), None
    counts, total, n = np.zeros(len(bounds)), 0.0, 0
    for place in range(13):
        now_s = NOW_S + place * STEP_S
        lengths = rng.lognormal(np.log(300.0) - sigma**2 / 2.0, sigma, 375) * (2.0 if place > 8 else 1.0)
        counts += [np.count_nonzero(lengths <= bound) for bound in bounds]
        total, n = total + float(lengths.sum()), n + 375
        spread = Histogram(bounds, tuple(counts.tolist()), total, float(n))
        page = replace(counters("r1", now_s, total, float(n)), prompt_tokens=spread, generation_tokens=spread)
        seen, window = observe(make_target(), {"h100": 1}, ready("r1"), [page], window, now_s)
    assert seen is not None
    assert seen.load is not None
    assert LENGTH_ERROR == 0.04
    assert (seen.load.input_tokens > 520.0) == by_the_minute


def test_replicas_that_come_are_no_load_that_comes_back() -> None:
    """Four become eight between two scrapes of a steady load."""
    window, old = SampleWindow(), [f"r{i}" for i in range(4)]
    for place in range(6):
        now_s = NOW_S + place * STEP_S
        names = old if place < 5 else old + [f"n{i}" for i in range(4)]
        counts = {n: 5000.0 + 25.0 * STEP_S * min(place, 4) + (18.75 * STEP_S if place > 4 else 0.0) for n in old}
        scrape = [replace(sample(n, "h100", now_s, counts.get(n, 6.25 * STEP_S)), running=0.0) for n in names]
        scrape = [replace(s, started_at_s=now_s - STEP_S / 2) if s.replica not in old else s for s in scrape]
        seen, window = observe(make_target(), {"h100": 8}, ready(*names), scrape, window, now_s)
    assert seen.load is not None
    assert (seen.load.requests_per_s, seen.load.newest_rps) == (pytest.approx(100.0, rel=0.01), None)
