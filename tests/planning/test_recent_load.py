"""The minutes that end now."""

from __future__ import annotations

import pytest

from controlplane.domain.observation import Load
from controlplane.domain.target import Role
from controlplane.planning.recent_load import LAG_S, LONGEST_GAP_S, RecentLoad
from controlplane.planning.work import side_costs
from forecasters.regimes import MOST_BINS
from tests.builders import make_target, make_variant


def a_load(rps: float, prompt: float = 1000.0, answer: float = 200.0) -> Load:
    return Load(rps, prompt, answer, answer * (prompt + answer))


def seen(*pairs: tuple[float, float]) -> RecentLoad:
    recent = RecentLoad()
    for at_s, rps in pairs:
        recent = recent.adding(a_load(rps), at_s)
    return recent


def test_minutes_end_now_whatever_the_clock_says() -> None:
    recent = seen(*((float(t), float(t)) for t in range(7, 263, 15)))
    minutes = recent.minutes(262.0 - 15.0)
    assert (minutes.end_s, minutes.step_s) == (247.0, 60.0)
    assert minutes.values == (7.0, 67.0, 127.0, 187.0, 247.0)
    assert LAG_S == 30.0


def test_between_observations_it_is_a_line() -> None:
    assert seen((0.0, 2.0), (40.0, 4.0), (80.0, 8.0)).minutes(80.0).values == (pytest.approx(3.0), 8.0)


def test_what_is_before_a_gap_is_left_out() -> None:
    recent = seen((0.0, 1.0), (60.0, 1.0), (60.0 + LONGEST_GAP_S + 1.0, 5.0), (211.0, 6.0))
    assert recent.minutes(211.0).values == (5.0, 6.0)
    assert recent.minutes(211.0 + LONGEST_GAP_S + 1.0).values == ()
    assert RecentLoad().minutes(5.0).values == ()


def test_an_observation_without_a_load_or_seen_again_adds_nothing() -> None:
    once = seen((0.0, 1.0))
    assert once.adding(None, 15.0) == once
    assert once.adding(a_load(9.0), 0.0) == once


def test_no_more_is_kept_than_is_looked_at() -> None:
    recent = seen(*((15.0 * i, 1.0) for i in range(1000)))
    assert len(recent.at_s) <= 4 * (MOST_BINS + 1) + 1
    assert len(recent.minutes(recent.at_s[-1]).values) == MOST_BINS


def test_while_prompts_grow_longer_fewer_requests_are_no_fall() -> None:
    costs = side_costs(make_target())
    recent = RecentLoad()
    for minute, (rps, prompt) in enumerate([(10.0, 1000.0), (9.0, 1500.0), (8.0, 2200.0)]):
        recent = recent.adding(a_load(rps, prompt), 60.0 * minute)
    assert recent.minutes(120.0).values == (10.0, 9.0, 8.0)
    first, second, third = (value or 0.0 for value in recent.minutes(120.0, costs).values)
    assert third == 8.0, "in requests of the present length"
    assert first < second < third


def test_of_steady_lengths_it_is_the_requests_alone() -> None:
    recent = seen((0.0, 10.0), (60.0, 9.0), (120.0, 0.0))
    assert recent.minutes(60.0, side_costs(make_target())).values == pytest.approx((10.0, 9.0))
    assert recent.minutes(120.0, side_costs(make_target())).values == (10.0, 9.0, 0.0), "nothing has no length"


@pytest.mark.parametrize(("prompt", "answer"), [(2.0, 0.5), (0.5, 2.0)])
def test_roles_apart_tell_of_the_side_whose_work_grew_most(prompt: float, answer: float) -> None:
    split = make_target((make_variant("p", role=Role.PREFILL), make_variant("d", role=Role.DECODE)))
    recent = RecentLoad().adding(a_load(10.0), 0.0).adding(a_load(10.0, 1000.0 * prompt, 200.0 * answer), 60.0)
    before, now = (value or 0.0 for value in recent.minutes(60.0, side_costs(split)).values)
    assert now == 10.0
    assert before <= 10.0 / 1.6, "a mix that turns over is a ramp of one side"
