"""How much more than the demand a smaller fleet must carry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.domain.decision import Forecast
from controlplane.domain.observation import Inventory
from controlplane.domain.target import Role
from controlplane.planning.allocation import Ask, allocate
from controlplane.planning.allocation.group import (
    DOWN_MARGIN,
    SPLIT_DOWN_LIMITS,
    SPLIT_DOWN_MARGIN,
    SPLIT_DOWN_POWER,
    SPLIT_HORIZON_S,
    down_margin,
)
from forecasters.regimes import RAMP
from forecasters.types import DEFAULT_LEVELS, QuantileForecast, Regime
from tests.planning.asks import Kind, make_ask

SPLIT = (Kind("p", 1.0, 4.0, Role.PREFILL, now=12, high=20), Kind("d", 20.0, 4.0, Role.DECODE, now=1))


def looking_ahead(ask: Ask, horizon_s: float, volatility: float = 1.0) -> Ask:
    flat = QuantileForecast(0.0, horizon_s, (0.5,), ((10.0,),), (10.0,), "flat")
    forecast = Forecast("chat", 0.0, horizon_s, flat, flat, flat, volatility=volatility)
    return replace(ask, inputs=replace(ask.inputs, forecast=forecast))


@pytest.mark.parametrize(
    ("horizon_s", "share"),
    [(60.0, 0.04), (200.0, 0.06), (400.0, 0.06 * 2.0**2), (900.0, 0.3)],
)
def test_split_roles_keep_more_the_further_ahead_they_must_see(horizon_s: float, share: float) -> None:
    assert (SPLIT_DOWN_MARGIN, SPLIT_HORIZON_S, SPLIT_DOWN_POWER) == (0.06, 200.0, 2.0)
    assert SPLIT_DOWN_LIMITS == (0.04, 0.3)
    assert down_margin(looking_ahead(make_ask(SPLIT, 10.0), horizon_s)) == pytest.approx(share)


def test_without_a_forecast_split_roles_keep_what_a_usual_cold_start_asks_for() -> None:
    assert down_margin(make_ask(SPLIT, 10.0)) == SPLIT_DOWN_MARGIN


@pytest.mark.parametrize(
    ("horizon_s", "share"),
    [(75.0, 2.0 / 60.0), (200.0, 2.0 / 60.0), (300.0, 2.0 / 60.0 + 0.06), (900.0, DOWN_MARGIN)],
)
def test_whole_replicas_keep_the_noise_of_a_minute_and_more_before_a_long_cold_start(
    horizon_s: float, share: float
) -> None:
    whole = (Kind("a", 1.0, 4.0),)
    assert down_margin(looking_ahead(make_ask(whole, 60.0), horizon_s)) == pytest.approx(share)
    assert down_margin(make_ask(whole, 60.0)) == pytest.approx(2.0 / 60.0)
    assert down_margin(make_ask(whole, 0.5)) == DOWN_MARGIN


@pytest.mark.parametrize(("volatility", "drift"), [(0.5, 0.03), (1.0, 0.06), (1.5, 0.06)])
def test_a_calm_load_has_calm_lulls(volatility: float, drift: float) -> None:
    ask = looking_ahead(make_ask((Kind("a", 1.0, 4.0),), 60.0), 300.0, volatility)
    assert down_margin(ask) == pytest.approx(2.0 / 60.0 + drift)


@pytest.mark.parametrize(("horizon_s", "prefill"), [(200.0, 12), (60.0, 11), (600.0, 12)])
def test_a_prefill_replica_goes_only_where_the_rest_carry_the_margin_more(horizon_s: float, prefill: int) -> None:
    """Eleven carry 11/s: 6 % more than 10.4/s, less than 7 % and more than 4 %."""
    plan = allocate([looking_ahead(make_ask(SPLIT, 10.4), horizon_s)], Inventory({"P": 40, "D": 40}))[0]
    assert plan.replicas["p"] == prefill


@pytest.mark.parametrize(("horizon_s", "prefill"), [(200.0, 10), (600.0, 12)])
def test_the_same_fleet_shrinks_where_replicas_come_soon(horizon_s: float, prefill: int) -> None:
    """Ten carry 11 % more than 9/s, and eleven 22 %."""
    plan = allocate([looking_ahead(make_ask(SPLIT, 9.0), horizon_s)], Inventory({"P": 40, "D": 40}))[0]
    assert plan.replicas["p"] == prefill


def test_a_load_that_comes_back_is_met_with_what_was_there_before() -> None:
    """A minute's silence: the mean is a quarter of what comes again."""
    ask = make_ask((Kind("a", 10.0, 4.0, now=6, high=20),), 15.0)
    load = ask.inputs.observation.load
    assert load is not None
    observation = replace(ask.inputs.observation, load=replace(load, requests_per_s=15.0, newest_rps=60.0))
    back = replace(ask, inputs=replace(ask.inputs, observation=observation))
    assert down_margin(back) == pytest.approx(3.0)
    assert allocate([back], Inventory())[0].replicas == {"a": 6}
    assert allocate([ask], Inventory())[0].replicas == {"a": 2}


@pytest.mark.parametrize(("probability", "left"), [(0.4, 1.0), (0.8, 0.2), (1.0, 0.0)])
def test_what_falls_for_certain_needs_no_margin(probability: float, left: float) -> None:
    ask = looking_ahead(make_ask((Kind("a", 1.0, 4.0),), 60.0), 300.0)
    forecast = ask.inputs.forecast
    assert forecast is not None
    regimes = (Regime(RAMP, probability, None, (50.0,) * len(DEFAULT_LEVELS)),)
    down = replace(ask, inputs=replace(ask.inputs, forecast=replace(forecast, regimes=regimes)))
    assert down_margin(down) == pytest.approx(left * down_margin(ask))
