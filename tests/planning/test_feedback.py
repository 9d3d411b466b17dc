"""What of the misses is learned from, and what is a shortage's and not the model's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.domain.observation import LatencySummary
from controlplane.domain.target import Mode, Policy, Slo
from controlplane.planning.calibration import PRIOR
from controlplane.planning.feedback import MOST_BUDGETS, with_feedback
from tests.builders import make_inputs, make_observation, make_target, make_variant

ARRIVAL_RPS = 6.0
BUDGET = 0.01


def missed(finished_rps: float, within: float) -> tuple[float, float]:
    """Share of misses that is learned, and over how many seconds, where `within` of what finishes meets TPOT."""
    target = make_target((make_variant(),))
    observation = make_observation(target, ARRIVAL_RPS, {"h100": 1})
    (seen,) = observation.variants
    met, slow = LatencySummary(360, 0.1, 0.1, 0.2, 0.3, 1.0), LatencySummary(360, 0.03, 0.03, 0.06, 0.09, within)
    seen = replace(
        seen, arrival_rps=ARRIVAL_RPS, finished_rps=finished_rps, running=4.0, waiting=0.0, ttft=met, tpot=slow
    )
    known = with_feedback(make_inputs(target, replace(observation, variants=(seen,))), {"h100": PRIOR})["h100"]
    return known.misses_seen, known.misses_weight


def test_what_is_missed_in_a_steady_state_is_learned() -> None:
    share, seconds = missed(ARRIVAL_RPS, 0.97)
    assert share == pytest.approx(0.03)
    assert seconds > 0


def test_one_bad_minute_counts_for_a_few_budgets() -> None:
    share, _ = missed(ARRIVAL_RPS, 0.2)
    assert share == pytest.approx(MOST_BUDGETS * BUDGET, abs=0.002)


def test_what_finishes_while_a_queue_is_worked_off_says_nothing_of_the_model() -> None:
    assert missed(1.5 * ARRIVAL_RPS, 0.2) == (0.0, 0.0)
    assert missed(1.02 * ARRIVAL_RPS, 0.97)[1] > 0, "noise is no queue"


@pytest.mark.parametrize(("told", "untold"), [("ttft", 0.0186), ("tpot", 0.00504)])
def test_a_limit_that_pages_do_not_tell_of_is_missed_as_often_as_expected(told: str, untold: float) -> None:
    """Triton and TGI tell one of the two; that the other is never missed would be learned for ever."""
    rps = 8.0
    target = make_target((make_variant(),), Policy(Mode.LIVE, Slo(0.4, 0.04)))
    observation = make_observation(target, rps, {"h100": 1})
    met = LatencySummary(480, 0.03, 0.03, 0.06, 0.09, 1.0)
    (plain,) = observation.variants
    plain = replace(plain, arrival_rps=rps, finished_rps=rps, running=30.0, waiting=0.0)
    both, one = (
        with_feedback(make_inputs(target, replace(observation, variants=(seen,))), {"h100": PRIOR})["h100"]
        for seen in (replace(plain, ttft=met, tpot=met), replace(plain, **{told: met}))
    )
    assert both.misses_seen == 0.0
    assert both.misses_expected == one.misses_expected == pytest.approx(0.02367, rel=0.01)
    assert one.misses_seen == pytest.approx(untold, rel=0.01)


def test_beside_another_kind_misses_count_as_at_a_rate_that_meets_the_slo() -> None:
    """A router that sends a slow kind as much as a fast one overloads it; that is no fault of its capacity."""
    rps = 8.0
    target = make_target((make_variant(), make_variant("l40s", "L40S")), Policy(Mode.LIVE, Slo(0.4, 0.04)))

    def learned(beside: int, within: float = 0.96) -> tuple[float, float]:
        observation = make_observation(target, rps, {"h100": 1, "l40s": beside})
        slow = LatencySummary(480, 0.03, 0.03, 0.06, 0.09, within)
        met = replace(slow, within_slo=1.0)
        first, second = observation.variants
        first = replace(first, arrival_rps=rps, finished_rps=rps, running=30.0, waiting=0.0, ttft=met, tpot=slow)
        inputs = make_inputs(target, replace(observation, variants=(first, second)))
        known = with_feedback(inputs, {"h100": PRIOR, "l40s": PRIOR})["h100"]
        return known.misses_seen, known.misses_expected

    alone_seen, alone_expected = learned(0)
    seen, expected = learned(2)
    assert alone_seen == pytest.approx(0.04, rel=0.05)
    assert alone_expected > 2.0 * BUDGET
    assert expected == pytest.approx(BUDGET)
    assert seen / expected == pytest.approx(alone_seen / alone_expected)
