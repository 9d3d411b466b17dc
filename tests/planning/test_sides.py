"""Roles apart: each has the peak of its own work, whatever the other's does."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from controlplane.domain.decision import ColdStart, Demand, Forecast, Memory, SideForecast
from controlplane.domain.observation import Inventory, Load, Replica, ReplicaPhase
from controlplane.domain.target import Role
from controlplane.planning.acquaintance import REGIME_QUANTILES, STEEP_QUANTILE
from controlplane.planning.demand import demand
from controlplane.planning.explain import sentences
from controlplane.planning.load_history import LoadHistory
from controlplane.planning.sides import LIMITS
from controlplane.planning.stepper import GroupStepper, TargetView
from controlplane.planning.work import side_costs, work_per_request_s
from forecasters.regimes import RAMP
from forecasters.types import DEFAULT_LEVELS, QuantileForecast, Regime
from tests.builders import (
    NOW_S,
    make_forecast,
    make_group,
    make_inputs,
    make_observation,
    make_target,
    make_tick,
    make_variant,
)

RPS = 50.0
PAIR = make_target((make_variant("p", role=Role.PREFILL), make_variant("d", role=Role.DECODE)))
SEEN = make_observation(PAIR, RPS)


def present(input_tokens: float = 1000.0, output_tokens: float = 200.0) -> list[float]:
    """Seconds of work a second of each role, of so many requests."""
    return [RPS * sum(work_per_request_s(cost, input_tokens, output_tokens, 0.0)) for cost in side_costs(PAIR)]


def flat(value: float) -> QuantileForecast:
    quantiles = (value,) * len(DEFAULT_LEVELS)
    return QuantileForecast(NOW_S, 60.0, DEFAULT_LEVELS, (quantiles,) * 4, quantiles, "last-value")


def coming(reads: float, decodes: float) -> Forecast:
    """A forecast, of which the peaks of both roles' work are so many times what comes now."""
    works = zip(present(), (reads, decodes), strict=True)
    sides = tuple(SideForecast(flat(work * growth)) for work, growth in works)
    return replace(make_forecast(PAIR, RPS), sides=sides)


def planned(forecast: Forecast) -> Demand:
    """By a forecast that is believed."""
    wanted = demand(make_inputs(PAIR, SEEN, forecast))
    assert wanted is not None
    return wanted


def works(wanted: Demand) -> list[float]:
    """What a demand asks of each role, over what comes now."""
    lengths = wanted.input_tokens, wanted.output_tokens
    each = [wanted.requests_per_s * sum(work_per_request_s(cost, *lengths, 0.0)) for cost in side_costs(PAIR)]
    return [one / now for one, now in zip(each, present(), strict=True)]


@pytest.mark.parametrize(("reads", "decodes"), [(1.0, 1.6), (1.5, 1.0), (1.2, 1.2), (1.3, 1.9)])
def test_each_role_is_planned_for_its_own_peak(reads: float, decodes: float) -> None:
    wanted = planned(coming(reads, decodes))
    assert works(wanted) == pytest.approx([reads, decodes], rel=1e-6)
    assert wanted.requests_per_s == pytest.approx(RPS * min(reads, decodes))


def test_where_both_grow_alike_more_of_the_same_come() -> None:
    wanted, now = planned(coming(1.2, 1.2)), planned(coming(1.0, 1.0))
    assert wanted.input_tokens == pytest.approx(now.input_tokens)
    assert wanted.output_tokens == pytest.approx(now.output_tokens)


def test_more_to_decode_makes_answers_longer_and_prompts_as_they_are() -> None:
    wanted, now = planned(coming(1.0, 1.6)), planned(coming(1.0, 1.0))
    assert (wanted.requests_per_s, wanted.input_tokens) == pytest.approx((now.requests_per_s, now.input_tokens))
    assert wanted.output_tokens > 1.4 * now.output_tokens
    assert wanted.context_tokens_weighted > 1.4 * now.context_tokens_weighted


def test_lengths_stay_within_what_may_come() -> None:
    wanted = planned(coming(1.0, 9.0))
    assert wanted.output_tokens == pytest.approx(LIMITS[1] * 200.0)


def test_a_ramp_of_one_roles_work_is_that_roles_alone() -> None:
    calm = coming(1.0, 1.0)
    ramp = Regime(RAMP, 1.0, None, tuple(RPS * (1.2 + level) for level in DEFAULT_LEVELS))
    steep = replace(calm, sides=(calm.sides[0], replace(calm.sides[1], regimes=(ramp,))))
    reads, decodes = works(planned(steep))
    assert reads == pytest.approx(1.0)
    assert decodes >= min(ramp.peak_at(REGIME_QUANTILES[RAMP]), ramp.peak_at(STEEP_QUANTILE)) / RPS
    said = next(
        one for one in sentences(make_tick(inputs=make_group(make_inputs(PAIR, SEEN, steep)))) if "peak of" in one
    )
    assert "decode's load ramps (100%)" in said
    assert "prefill" not in said


def test_before_much_was_seen_each_role_has_the_margin_of_its_own_unrest() -> None:
    forecast = coming(1.0, 1.0)
    restless = replace(forecast.sides[1], volatility=1.5)
    young = Memory(first_seen_at_s=NOW_S)
    wanted = demand(make_inputs(PAIR, SEEN, replace(forecast, sides=(forecast.sides[0], restless)), young))
    assert wanted is not None
    grown = replace(wanted, requests_per_s=wanted.requests_per_s - wanted.growth_rps)
    reads, decodes = works(grown)
    assert reads > 1.1
    assert (decodes - 1.0) / (reads - 1.0) == pytest.approx(1.5, rel=0.03)


def test_the_stepper_forecasts_each_roles_work_and_what_it_does() -> None:
    """Answers grow by 5 % a minute, prompts shrink: as many requests."""
    past, stepper = LoadHistory(), GroupStepper("default")
    for minute in range(40):
        answer = 100.0 * 1.05**minute
        load = Load(RPS, 2000.0 - 25.0 * minute, answer, answer * 2000.0)
        past = past.adding(load, NOW_S - 60.0 * (40 - minute))
    stepper.remember(PAIR.key, Memory(), past.series())
    view = TargetView(
        PAIR, {"p": 1, "d": 1}, [Replica("r", "p", ReplicaPhase.READY, 0.0)], [], {"p": ColdStart(170.0, 190.0, 3)}
    )
    forecast = stepper.step(NOW_S, [view], Inventory()).inputs.targets[0].forecast
    assert forecast is not None
    assert len(forecast.sides) == 2
    reads, decodes = (side.work_s_per_s.peak_at(0.5) for side in forecast.sides)
    last = present(1025.0, 100.0 * 1.05**39)
    assert reads == pytest.approx(last[0], rel=0.15)
    assert decodes > last[1]
    assert math.isclose(forecast.volatility, max(side.volatility for side in forecast.sides))
    assert forecast.work_s_per_s is None
