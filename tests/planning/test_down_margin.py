"""How much more than the demand a smaller fleet must carry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.domain.decision import Forecast
from controlplane.domain.observation import Inventory
from controlplane.domain.target import Role
from controlplane.planning.allocation import Ask, allocate
from controlplane.planning.allocation.group import DOWN_MARGIN, down_margin
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
    [(75.0, 2.0 / 60.0), (200.0, 2.0 / 60.0), (300.0, 2.0 / 60.0 + 0.06), (900.0, DOWN_MARGIN)],
)
@pytest.mark.parametrize("kinds", [(Kind("a", 1.0, 4.0),), SPLIT], ids=["whole", "roles apart"])
def test_a_fleet_keeps_the_noise_of_a_minute_and_more_before_a_long_cold_start(
    kinds: tuple[Kind, ...], horizon_s: float, share: float
) -> None:
    assert down_margin(looking_ahead(make_ask(kinds, 60.0), horizon_s)) == pytest.approx(share)
    assert down_margin(make_ask(kinds, 60.0)) == pytest.approx(2.0 / 60.0)
    assert down_margin(make_ask(kinds, 0.5)) == DOWN_MARGIN


@pytest.mark.parametrize(("volatility", "drift"), [(0.5, 0.03), (1.0, 0.06), (1.5, 0.06)])
def test_a_calm_load_has_calm_lulls(volatility: float, drift: float) -> None:
    ask = looking_ahead(make_ask((Kind("a", 1.0, 4.0),), 60.0), 300.0, volatility)
    assert down_margin(ask) == pytest.approx(2.0 / 60.0 + drift)


@pytest.mark.parametrize(("rps", "prefill"), [(9.0, 10), (10.1, 11), (10.2, 12)])
def test_a_role_gives_a_replica_up_where_the_rest_carry_the_margin_more(rps: float, prefill: int) -> None:
    """Eleven carry 11/s, which is 8.1 % more than 10.17/s: the noise is two by the root of a minute's requests."""
    plan = allocate([looking_ahead(make_ask(SPLIT, rps), 200.0)], Inventory({"P": 40, "D": 40}))[0]
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
