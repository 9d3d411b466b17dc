"""What is kept free while a load's ways are not known, and how that ends."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from controlplane.domain.decision import Capacity, CapacityBound, Demand, Memory, TargetInputs, Tick
from controlplane.planning.acquaintance import (
    MARGIN,
    MARGIN_POWER,
    NEW_WINDOWS,
    RAMP_HORIZON_S,
    REGIME_QUANTILES,
    TRUSTED_WINDOWS,
    Outlook,
    margin,
    trust,
    with_first_growth,
)
from controlplane.planning.decision import decide
from controlplane.planning.demand import demand, planned_quantile
from controlplane.planning.explain import sentences
from forecasters.regimes import CYCLE, RAMP
from forecasters.types import DEFAULT_LEVELS, QuantileForecast, Regime
from tests.builders import (
    NOW_S,
    make_forecast,
    make_group,
    make_inputs,
    make_observation,
    make_target,
    make_tick,
)

HORIZON_S = 180.0


def known_for(seconds: float) -> Memory:
    return Memory(first_seen_at_s=NOW_S - seconds)


@pytest.mark.parametrize(("windows", "share"), [(0.0, 0.0), (10.0, 0.25), (30.0, 0.5), (270.0, 0.9)])
def test_a_forecast_counts_by_the_windows_it_has_seen(windows: float, share: float) -> None:
    inputs = make_inputs(memory=known_for(windows * HORIZON_S))
    assert TRUSTED_WINDOWS == 30.0
    assert trust(inputs, HORIZON_S) == pytest.approx(share)


def test_a_longer_horizon_is_trusted_later() -> None:
    inputs = make_inputs(memory=known_for(3600.0))
    assert trust(inputs, 75.0) == pytest.approx(48.0 / 78.0)
    assert trust(inputs, 435.0) == pytest.approx(8.276 / 38.276, rel=1e-3)


def test_a_forecast_without_a_memory_is_trusted() -> None:
    assert trust(make_inputs(), HORIZON_S) == 1.0


def test_the_margin_grows_with_the_horizon_and_with_the_noise_of_few_requests() -> None:
    assert margin(1e9, 75.0, 0.9) == pytest.approx(MARGIN, rel=1e-4)
    assert margin(1e9, 435.0, 0.9) == pytest.approx(MARGIN * (435.0 / 75.0) ** MARGIN_POWER, rel=1e-4)
    # Two requests/s are 120 a minute, whose standard deviation is the root of that.
    assert margin(2.0, 75.0, 0.9) == pytest.approx(math.hypot(MARGIN, 2.0 / math.sqrt(120.0)))


def test_the_policys_quantile_sets_the_margin() -> None:
    assert margin(1e9, 75.0, 0.5) == 0.0
    assert margin(1e9, 75.0, 0.2) == 0.0
    assert margin(1e9, 75.0, 0.99) == pytest.approx(MARGIN * 2.3263 / 1.2816, rel=1e-3)


def test_an_outlook_lies_between_what_comes_now_and_what_is_foreseen() -> None:
    rates = make_forecast(make_target(), 20.0, spread=10.0).requests_per_s
    foreseen = rates.peak_at(0.9)
    assert Outlook(0.0, 0.2, 0.9).peak(rates, 10.0) == pytest.approx(12.0)
    assert Outlook(1.0, 0.2, 0.9).peak(rates, 10.0) == pytest.approx(foreseen)
    assert Outlook(0.5, 0.2, 0.9).peak(rates, 10.0) == pytest.approx((12.0 + foreseen) / 2.0)
    assert Outlook(1.0, 0.2, 0.9).peak(rates, 1e4) == 1e4, "never less than what is there"
    assert Outlook(0.25, 0.2, 0.9).growth(1.2) == pytest.approx(1.05)


def test_a_new_target_is_not_planned_by_a_wild_forecast() -> None:
    target = make_target()
    observation, wild = make_observation(target, 10.0), make_forecast(target, 100.0)
    young = demand(make_inputs(target, observation, wild, known_for(300.0)))
    old = demand(make_inputs(target, observation, wild, known_for(3e6)))
    assert young is not None
    assert old is not None
    assert 10.0 < young.requests_per_s < 20.0
    assert old.requests_per_s > 90.0


def told(seconds: float) -> str:
    target = make_target()
    inputs = make_inputs(target, make_observation(target, 10.0), make_forecast(target, 12.0), known_for(seconds))
    tick: Tick = make_tick(inputs=make_group(inputs))
    return next(line for line in sentences(replace(tick)) if line.startswith("Expected"))


def test_the_trail_says_how_far_the_forecast_is_believed() -> None:
    assert "it has seen little yet and counts for" in told(600.0)
    assert "seen little" not in told(3e6)


def regime(kind: str, probability: float, peak: float) -> Regime:
    return Regime(kind, probability, 600.0 if kind == CYCLE else None, (peak,) * len(DEFAULT_LEVELS))


def with_regimes(horizon_s: float, *regimes: Regime) -> Outlook:
    target = make_target()
    forecast = replace(make_forecast(target, 10.0), regimes=regimes)
    inputs = make_inputs(target, make_observation(target, 10.0), forecast, known_for(600.0))
    return Outlook.of(inputs, 10.0, horizon_s, 0.9)


def test_a_cycle_that_is_surely_there_takes_the_place_of_all_else() -> None:
    wild = make_forecast(make_target(), 100.0).requests_per_s
    assert with_regimes(180.0, regime(CYCLE, 1.0, 14.0)).peak(wild, 10.0) == pytest.approx(14.0)
    assert with_regimes(180.0, regime(CYCLE, 1.0, 4.0)).peak(wild, 10.0) == pytest.approx(4.0), "it is on its way down"
    assert with_regimes(60.0, regime(RAMP, 1.0, 4.0)).peak(wild, 10.0) >= 10.0, "where a ramp ends nobody knows"
    calm = make_forecast(make_target(), 10.0).requests_per_s
    assert with_regimes(180.0, regime(CYCLE, 0.4, 4.0)).peak(calm, 10.0) >= 10.0, "it may as well stay"
    low = make_forecast(make_target(), 2.0).requests_per_s
    assert with_regimes(180.0, regime(CYCLE, 0.5, 4.0)).peak(low, 10.0) == pytest.approx(
        0.5 * 4.0 + 0.5 * 10.0, rel=0.2
    )
    assert with_regimes(180.0).peak(low, 10.0) >= 10.0, "of all else never less than what is there"
    assert with_regimes(180.0, regime(CYCLE, 1.0, 14.0)).growth(1.3) == 1.0


def test_a_likely_cycle_counts_for_its_probability() -> None:
    rates = make_forecast(make_target(), 12.0).requests_per_s
    plain = with_regimes(180.0).peak(rates, 10.0)
    assert with_regimes(180.0, regime(CYCLE, 0.25, 20.0)).peak(rates, 10.0) == pytest.approx(5.0 + 0.75 * plain)


def test_what_goes_round_in_requests_goes_round_in_work() -> None:
    work = make_forecast(make_target(), 3.0).requests_per_s
    assert with_regimes(180.0, regime(CYCLE, 1.0, 14.0)).peak(work, 2.0) == pytest.approx(2.8)


@pytest.mark.parametrize(("horizon_s", "share"), [(60.0, 0.8), (75.0, 0.8), (150.0, 0.2), (750.0, 0.008)])
def test_a_ramp_is_believed_to_go_on_for_a_minute(horizon_s: float, share: float) -> None:
    assert RAMP_HORIZON_S == 75.0
    assert with_regimes(horizon_s, regime(RAMP, 0.8, 20.0)).regimes == ((pytest.approx(share), pytest.approx(2.0)),)


def spread(low: float, quartile: float) -> Regime:
    """A ramp whose peak is `low` at 0.1, 0.5 and 0.6 and `quartile` from 0.75 on."""
    return Regime(RAMP, 1.0, None, tuple(low if level < 0.75 else quartile for level in DEFAULT_LEVELS))


@pytest.mark.parametrize("horizon_s", [150.0, 435.0])
def test_a_ramp_that_is_sure_brings_more_than_the_margin_at_any_horizon(horizon_s: float) -> None:
    rates = make_forecast(make_target(), 10.0).requests_per_s
    plain = with_regimes(horizon_s).peak(rates, 10.0)
    sure, share = with_regimes(horizon_s, spread(12.0, 20.0)), (RAMP_HORIZON_S / horizon_s) ** 2
    regular = share * spread(12.0, 20.0).peak_at(REGIME_QUANTILES[RAMP]) + (1.0 - share) * plain
    assert sure.peak(rates, 10.0) == pytest.approx(regular + (1.0 - share) * (20.0 - plain))
    unsure = spread(9.9, 20.0)
    expected = share * unsure.peak_at(REGIME_QUANTILES[RAMP]) + (1.0 - share) * plain
    assert with_regimes(horizon_s, unsure).peak(rates, 10.0) == pytest.approx(expected), "it may as well be over"
    gentle = with_regimes(horizon_s, spread(10.0, 10.1))
    assert gentle.peak(rates, 10.0) <= plain, "the margin has as much"


def test_one_extreme_minute_is_no_tail() -> None:
    quantiles = (90.0, 100.0, 105.0, 120.0, 125.0, 1200.0)
    forecast = QuantileForecast(0.0, 180.0, DEFAULT_LEVELS, (quantiles,), quantiles, "wild")
    trusting = Outlook(1.0, 0.0, 0.99, asked=0.9)
    assert trusting.peak(forecast, 100.0) == pytest.approx(100.0 + 20.0 * math.log(0.02) / math.log(0.2))
    assert replace(trusting, level=0.9).peak(forecast, 100.0) == pytest.approx(120.0)
    assert replace(trusting, level=0.95).peak(forecast, 100.0) == pytest.approx(125.0), "less than the tail has"
    assert replace(trusting, asked=0.99).peak(forecast, 100.0) == pytest.approx(1200.0), "who asks for it gets it"
    assert replace(trusting, asked=0.5).peak(forecast, 100.0) == pytest.approx(1200.0), "a median has no tail"


def test_the_trail_says_what_the_load_does() -> None:
    target = make_target()
    forecast = replace(make_forecast(target, 12.0), regimes=(regime(CYCLE, 0.97, 14.0), regime(RAMP, 0.01, 11.0)))
    inputs = make_inputs(target, make_observation(target, 10.0), forecast, known_for(600.0))
    said = expected(inputs)
    assert "the load goes round every 600 s (97%), to 14.00" in said
    assert "ramp" not in said
    rises = replace(inputs, forecast=replace(forecast, regimes=(spread(12.0, 20.0),)))
    assert "the load ramps (100%), to 12.00 at the median, up to 20.00 since it surely rises" in expected(rises)


def expected(inputs: TargetInputs) -> str:
    """What the explanation says is expected."""
    return next(one for one in sentences(make_tick(inputs=make_group(inputs))) if one.startswith("Expected"))


def first_demand(came_rps: float, rate: float, seen_s: float, backlog: float = 0.0) -> Demand:
    """What is planned for of a load that came for so long, where one replica carries `rate`."""
    target = make_target()
    forecast = make_forecast(target, came_rps)
    inputs = make_inputs(target, make_observation(target, came_rps), forecast, known_for(seen_s))
    wanted = demand(inputs)
    assert wanted is not None
    wanted = replace(wanted, requests_per_s=1.1 * came_rps + backlog, backlog_rps=backlog)
    return with_first_growth(wanted, inputs, [Capacity("h100", rate, CapacityBound.TTFT, 1.0)])


def test_a_new_load_may_grow_by_one_and_a_half() -> None:
    found = first_demand(4.0, 10.0, 60.0)
    assert found.requests_per_s == pytest.approx(10.0)
    assert found.growth_rps == pytest.approx(10.0 - 4.4)


def test_by_no_more_than_one_replica_and_a_quarter_carry() -> None:
    assert first_demand(40.0, 10.0, 60.0).requests_per_s == pytest.approx(52.5)
    assert first_demand(8.1, 10.0, 60.0).requests_per_s > 20.0, "who is alone and nearly full gets two"
    many = first_demand(400.0, 10.0, 60.0)
    assert (many.requests_per_s, many.growth_rps) == (pytest.approx(440.0), 0.0), "a tenth is more than one replica"


def test_the_queue_that_is_there_comes_on_top() -> None:
    assert first_demand(4.0, 10.0, 60.0, backlog=3.0).requests_per_s == pytest.approx(13.0)


@pytest.mark.parametrize("missed", [0.0, 500.0])
def test_the_error_budget_moves_no_regime(missed: float) -> None:
    target = make_target()
    spread = Regime(RAMP, 0.8, None, (10.0, 12.0, 14.0, 17.0, 18.0, 20.0))
    forecast = replace(make_forecast(target, 10.0), regimes=(spread,))
    memory = replace(known_for(3600.0), missed_requests=missed, finished_requests=1e4)
    inputs = make_inputs(target, make_observation(target, 10.0), forecast, memory)
    level = planned_quantile(target.policy, memory, 10.0, 60.0)
    ((_, growth),) = Outlook.of(inputs, 10.0, 60.0, level).regimes
    assert growth == pytest.approx(spread.peak_at(REGIME_QUANTILES[RAMP]) / 10.0)


def test_a_load_is_new_for_two_windows() -> None:
    window_s = make_forecast(make_target(), 4.0).horizon_s
    assert first_demand(4.0, 10.0, NEW_WINDOWS * window_s).growth_rps > 0
    assert first_demand(4.0, 10.0, NEW_WINDOWS * window_s + 1.0).growth_rps == 0


def test_nothing_is_kept_for_a_load_that_is_not_there() -> None:
    assert first_demand(0.0, 10.0, 60.0).growth_rps == 0
    assert first_demand(4.0, 0.0, 60.0).growth_rps == 0, "what one more replica carries is not known"


def test_who_asks_why_is_told_of_the_room() -> None:
    target = make_target()
    inputs = make_inputs(target, make_observation(target, 10.0), make_forecast(target, 10.0), known_for(60.0))
    group = make_group(inputs)
    (decision,) = decide(group).decisions
    tick = make_tick(inputs=group)
    assert "room for" in decision.reason
    assert "more while the load is new" in decision.reason
    assert any("room to grow while the load is new" in line for line in sentences(tick))
