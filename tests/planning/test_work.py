"""Work as one number: what a mix that turns over brings; and how the error budget is spent on it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.decision import Calibration, Demand, Memory, TargetInputs
from controlplane.domain.observation import Inventory, Replica, ReplicaPhase
from controlplane.domain.target import Role
from controlplane.planning.calibration import allowed_misses
from controlplane.planning.demand import demand, planned_quantile
from controlplane.planning.load_history import BIN_S, QUANTITIES, LoadHistory
from controlplane.planning.roofline import StepCost
from controlplane.planning.stepper import GroupStepper, TargetView
from controlplane.planning.work import (
    CACHED_STEP,
    followed_share,
    stretch,
    work_cost,
    work_per_request_s,
    work_series,
)
from forecasters.types import DEFAULT_LEVELS, QuantileForecast, Series
from tests.builders import NOW_S, make_forecast, make_inputs, make_observation, make_target, make_variant

COST = StepCost(0.01, 1e-5, 1e-4, 1e-8)
POLICY = make_target().policy


def flat(peaks: tuple[float, ...]) -> QuantileForecast:
    return QuantileForecast(NOW_S, BIN_S, DEFAULT_LEVELS, (peaks,) * 4, peaks, "flat")


def series(*values: float | None) -> Series:
    return Series(0.0, BIN_S, values)


def test_work_by_hand() -> None:
    """1,000 tokens in, half of them cached, 200 out: 5 ms to read, 20 ms of sequences, 2.4 ms of context."""
    plain, square = work_per_request_s(COST, 1000.0, 200.0, 0.5)
    assert plain == pytest.approx(0.005 + 0.02)
    assert square == pytest.approx(1e-8 * 200.0 * 1200.0)


def test_a_gap_in_any_quantity_is_a_gap_and_nothing_is_no_work() -> None:
    told = {
        QUANTITIES[0]: series(2.0, 0.0, None, 2.0),
        QUANTITIES[1]: series(2000.0, 0.0, 5.0, None),
        QUANTITIES[2]: series(400.0, 0.0, 5.0, 400.0),
    }
    one = sum(work_per_request_s(COST, 1000.0, 200.0, 0.0))
    assert work_series(told, COST, 0.0).values == (pytest.approx(2.0 * one), 0.0, None, None)


@given(
    st.floats(1e-6, 10.0),
    st.floats(0.0, 10.0),
    st.floats(0.1, 10.0),
)
def test_stretched_lengths_bring_the_work_that_is_wanted(plain: float, square: float, factor: float) -> None:
    wanted = plain * factor + square * factor * factor
    assert stretch(plain, square, wanted) == pytest.approx(factor, rel=1e-6)


def test_the_cached_share_is_followed_in_steps() -> None:
    assert followed_share(None, 0.4) == 0.4
    assert followed_share(0.4, 0.4 + CACHED_STEP / 2.0) == 0.4
    assert followed_share(0.4, 0.8) == 0.8


def test_roles_apart_have_no_work_in_common() -> None:
    split = (make_variant("p", role=Role.PREFILL), make_variant("d", role=Role.DECODE))
    assert work_cost(make_target(variants=split)) is None
    assert work_cost(make_target()) is not None


def turned(work_share: float) -> TargetInputs:
    """Prompts may grow by a fifth and answers shrink by one; of all of it together `work_share` of today's may come."""
    target = make_target()
    observation = make_observation(target, 50.0)
    load, cost = observation.load, work_cost(target)
    assert load is not None
    assert cost is not None
    now = 50.0 * sum(work_per_request_s(cost, load.input_tokens, load.output_tokens, 0.0))
    forecast = replace(
        make_forecast(target, 50.0),
        input_tokens_per_s=flat((60_000.0,) * 6),
        output_tokens_per_s=flat((9_000.0,) * 6),
        work_s_per_s=flat((now * work_share,) * 6),
    )
    return make_inputs(target, observation, forecast)


def brought(wanted: Demand | None) -> float:
    cost = work_cost(make_target())
    assert wanted is not None
    assert cost is not None
    return wanted.requests_per_s * sum(work_per_request_s(cost, wanted.input_tokens, wanted.output_tokens, 0.0))


def test_what_is_planned_is_the_work_that_comes_whatever_its_parts_do() -> None:
    for share in (1.05, 1.15):
        inputs = turned(share)
        work = inputs.forecast.work_s_per_s if inputs.forecast else None
        assert work is not None
        assert brought(demand(inputs)) == pytest.approx(work.peak_at(0.9), rel=0.02)


def test_no_less_than_the_present_work_is_planned() -> None:
    assert brought(demand(turned(0.5))) == pytest.approx(brought(demand(turned(1.0))))


def test_without_a_forecast_of_work_the_lengths_are_those_of_the_tokens() -> None:
    told = turned(1.0)
    assert told.forecast is not None
    wanted = demand(replace(told, forecast=replace(told.forecast, work_s_per_s=None)))
    assert wanted is not None
    assert (wanted.input_tokens, wanted.output_tokens) == (pytest.approx(1200.0), pytest.approx(180.0))


@pytest.mark.parametrize(
    ("missed", "horizon_s", "quantile"),
    # A budget of 1 %, 0.65 of which may be spent; the prior is forgotten beside a million requests.
    [
        (0.0, 75.0, 0.51),
        (0.0, 200.0, 0.51),
        (0.0, 400.0, 0.9 - 0.39 / 4),
        (6_500.0, 75.0, 0.9),
        (8_500.0, 75.0, 0.95),
        (50_000.0, 75.0, 0.99),
    ],
)
def test_what_was_not_missed_lowers_the_quantile_less_the_longer_a_shortage_lasts(
    missed: float, horizon_s: float, quantile: float
) -> None:
    memory = Memory(missed_requests=missed, finished_requests=1e6)
    assert planned_quantile(POLICY, memory, 1.0, horizon_s) == pytest.approx(quantile, abs=0.002)


def test_a_policy_that_asks_for_less_than_the_median_gets_it() -> None:
    modest = replace(POLICY, forecast_quantile=0.3)
    assert planned_quantile(modest, Memory(finished_requests=1e6), 1.0, 75.0) == 0.3


def test_the_stepper_forecasts_work_where_a_replica_does_whole_requests() -> None:
    for roles, known in (((Role.BOTH, Role.BOTH), True), ((Role.PREFILL, Role.DECODE), False)):
        target = make_target(tuple(make_variant(name, role=role) for name, role in zip("ab", roles, strict=True)))
        steady = LoadHistory()
        for minute in range(10):
            steady = steady.adding(make_observation(target, 50.0).load, NOW_S - 60.0 * (10 - minute))
        stepper = GroupStepper("default")
        stepper.remember(target.key, Memory(), steady.series())
        view = TargetView(target, {"a": 1, "b": 1}, [Replica("r", "a", ReplicaPhase.READY, 0.0)], [])
        forecast = stepper.step(NOW_S, [view], Inventory()).inputs.targets[0].forecast
        assert forecast is not None
        assert (forecast.work_s_per_s is not None) is known
        cost = work_cost(target)
        if forecast.work_s_per_s is not None and cost is not None:
            now = 50.0 * sum(work_per_request_s(cost, 1000.0, 200.0, 0.0))
            assert forecast.work_s_per_s.peak_at(0.5) == pytest.approx(now, rel=0.1)


@pytest.mark.parametrize(
    ("seen", "expected", "allowed"),
    [
        (0.0, 0.0, 0.01 * (1.4 + 1.5 * 0.65)),  # nothing expected and nothing seen: the budget and what it saves
        (0.001, 0.002, 0.01 * (1.4 + 1.5 * 0.55) * 1.5),  # (2 + 1) / (1 + 1) thousandths
        (0.001, 0.02, 0.01 * (1.4 + 1.5 * 0.55) * 2.0),  # no more than twice
        (0.004, 0.001, 0.01 * (1.4 + 1.5 * 0.25) - 0.003),  # more than expected is taken off
    ],
)
def test_a_model_that_expects_too_many_misses_may_expect_more(seen: float, expected: float, allowed: float) -> None:
    known = Calibration(1.0, 0.0, misses_seen=seen, misses_expected=expected, misses_weight=1e12)
    assert allowed_misses(known, 0.01) == pytest.approx(allowed, rel=1e-3)
