"""Replicas that came within the window: what they took they took from the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.domain.observation import Histogram, Observation, Sample
from controlplane.observing import SampleWindow, observe
from controlplane.observing.steps import mean_step, step_time_s
from controlplane.observing.window import Delta, delta
from tests.builders import NOW_S, make_target
from tests.observing.test_observe import STEP_S, ready, sample

RPS = 12.0
"""Of the whole fleet, shared evenly by those that are there."""


def scaled_up(after: int, busy_before: float = 0.0) -> Observation:
    """Two old replicas, and four more from the fifth scrape on, seen `after` scrapes later. `busy_before`: what the new
    ones had counted when they were first seen."""
    old, new = ("r1", "r2"), ("r3", "r4", "r5", "r6")
    window, taken = SampleWindow(), dict.fromkeys(old, 5000.0)
    for place in range(5 + after + 1):
        here = old if place < 5 else (*old, *new)
        for name in here:
            taken[name] = taken[name] + RPS / len(here) * STEP_S if name in taken else busy_before
        now_s = NOW_S + place * STEP_S
        scrape = [sample(name, "h100", now_s, taken[name]) for name in here]
        scrape = [replace(s, running=0.0) for s in scrape]
        seen, window = observe(make_target(), {"h100": len(here)}, ready(*here), scrape, window, now_s)
    return seen


@pytest.mark.parametrize("after", [1, 2, 3, 4, 8])
def test_a_scale_up_does_not_make_the_load_look_higher(after: int) -> None:
    load = scaled_up(after).load
    assert load is not None
    # The first scrape of the new ones tells nothing of the quarter of a minute before it.
    assert load.requests_per_s == pytest.approx(RPS, rel=0.01)


def test_replicas_that_were_busy_before_they_were_seen_count_whole() -> None:
    load = scaled_up(1, busy_before=900.0).load
    assert load is not None
    # 4 new ones at 2 each, and 2 old ones that had 6 each for three quarters of the minute.
    assert load.requests_per_s == pytest.approx(4 * 2.0 + 2 * (6.0 * 0.75 + 2.0 * 0.25) * 1.0, rel=0.15)


def test_each_replicas_rate_is_by_the_time_that_it_was_there() -> None:
    seen = scaled_up(1).variants[0]
    assert seen.reporting == 6
    assert seen.serving == pytest.approx(2 + 4 * 0.5)  # one scrape before the first look, and one after
    assert seen.arrival_rps is not None
    assert seen.each(seen.arrival_rps) == pytest.approx(RPS / 4.0, rel=0.01)


def test_an_engine_that_loaded_for_minutes_does_not_make_the_others_part_smaller() -> None:
    """Two that were first seen a scrape ago, and one that is seen for the first time, four minutes after its start."""
    window = SampleWindow()
    for place, names in enumerate((("r1", "r2"), ("r1", "r2"), ("r1", "r2", "r3"))):
        now_s = NOW_S + place * STEP_S
        taken = {"r1": 30.0 * (place + 1), "r2": 30.0 * (place + 1), "r3": 0.0}
        scrape = [replace(sample(n, "h100", now_s, taken[n]), running=0.0) for n in names]
        scrape = [replace(s, started_at_s=now_s - 240.0) if s.replica == "r3" else s for s in scrape]
        seen, window = observe(make_target(), {"h100": 3}, ready(*names), scrape, window, now_s)
    assert seen.load is not None
    assert seen.load.requests_per_s == pytest.approx(2 * 2.0, rel=0.01)


def own(tokens: float, itl_s: float, prompts: float | None, served_s: float | None = None) -> Delta:
    """What one replica did in a minute."""
    before = Sample("r", "h100", 0.0, running=0.0, waiting=0.0, finished_total=0.0, generation_tokens_total=0.0)
    after = replace(before, at_s=60.0, generation_tokens_total=tokens)
    window = SampleWindow({"r": (before, after)})
    made = delta(window, "r", 60.0, 60.0)
    assert made is not None
    gaps = Histogram((1.0,), (tokens,), itl_s * tokens, tokens)
    return replace(made, itl_s=gaps, prompt_tokens=prompts, served_s=served_s)


def test_a_steps_batch_is_the_mean_over_tokens_as_its_time_is() -> None:
    busy, idle = own(60_000.0, 0.02, 120_000.0), own(6_000.0, 0.01, 12_000.0)
    assert step_time_s([busy, idle]) == pytest.approx((0.02 * 60 + 0.01 * 6) / 66)
    step = mean_step([busy, idle])
    # 1,000 tokens/s in steps of 20 ms are 20 sequences; 100 in 10 ms are one.
    assert step.batch == pytest.approx((20.0 * 60 + 1.0 * 6) / 66)
    assert step.prompt_tokens == pytest.approx((2000.0 * 0.02 * 60 + 200.0 * 0.01 * 6) / 66)


def test_a_replica_that_is_seen_for_the_first_time_tells_nothing_of_a_step() -> None:
    known, first = own(6_000.0, 0.02, None), replace(own(6_000.0, 0.1, 50_000.0, served_s=1.0), since_start=True)
    assert mean_step([known, first]) == mean_step([known])
    assert step_time_s([known, first]) == pytest.approx(0.02)
    assert (mean_step([first]).batch, step_time_s([first])) == (None, None)


@pytest.mark.parametrize("started_s", [None, 2.0, 170.0])
def test_a_fleet_that_grows_looks_no_faster(started_s: float | None) -> None:
    """Ten replicas at a steady load; the eleventh is seen a few seconds after its first request. What is known of its
    start may be wrong by minutes: a process loads before it serves."""
    window, steps = SampleWindow(), []
    for place in range(8):
        now_s = NOW_S + place * STEP_S
        names = [f"r{i}" for i in range(10 if place < 5 else 11)]
        scrape = [sample(n, "h100", now_s, 30.0 * (place + 1 if n != "r10" else place - 4.6)) for n in names]
        if started_s is not None:
            began_s = NOW_S + 5 * STEP_S - started_s
            scrape = [replace(s, started_at_s=began_s) if s.replica == "r10" else s for s in scrape]
        seen, window = observe(make_target(), {"h100": 11}, ready(*names), scrape, window, now_s)
        steps.append((seen.variants[0].step_batch, seen.variants[0].step_time_s))
    assert steps[5] == steps[4], "when it is seen first"
    assert all(batch and time_s for batch, time_s in steps[1:])
    assert steps[7] == (pytest.approx(steps[4][0], rel=0.02), pytest.approx(steps[4][1], rel=0.02))


def test_without_tokens_or_prompts_nothing_is_made_up() -> None:
    step = mean_step([own(600.0, 0.02, None)])
    assert (step.batch, step.prompt_tokens) == (pytest.approx(0.2), None)
    assert mean_step([]) == mean_step([own(0.0, 0.02, 5.0)])
    assert mean_step([]).batch is None
