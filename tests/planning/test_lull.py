"""What came in the last quarter of an hour stays carried through a lull."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.domain.decision import Capacity, CapacityBound, Demand, Plan, RulingEffect
from controlplane.domain.observation import Load
from controlplane.domain.target import Target
from controlplane.planning.recent_load import RecentLoad
from controlplane.planning.rules import Case, ExchangeRule, LullRule
from controlplane.planning.rules.lull import LULL_S, LULL_SHARE
from controlplane.planning.work import side_costs
from forecasters.regimes import RAMP
from forecasters.types import DEFAULT_LEVELS, Regime
from tests.builders import NOW_S, make_forecast, make_inputs, make_observation, make_target, make_variant

RATES = {"h100": 10.0, "l40s": 3.0}
ONE = make_target((make_variant("h100", high=40),))
TWO = make_target((make_variant("h100", high=40), make_variant("l40s", "L40S", low=0, high=40)))


def case(
    target: Target,
    planned: dict[str, int],
    current: dict[str, int],
    recent: float | None,
    regimes: tuple[Regime, ...] = (),
    now_rps: float = 100.0,
) -> Case:
    """A load of 100 requests/s now, where `recent` is the share that counts of what came in the mean before."""
    forecast = replace(
        make_forecast(target, now_rps), recent_rps=None if recent is None else recent / LULL_SHARE, regimes=regimes
    )
    inputs = make_inputs(target, make_observation(target, now_rps, current), forecast)
    demand = Demand(now_rps, now_rps, 0.0, 1000.0, 200.0, 2e5, 0.0, "reactive")
    capacities = tuple(Capacity(v.name, RATES[v.name], CapacityBound.TPOT, 1.0) for v in target.variants)
    return Case(
        inputs, NOW_S, current, demand, True, Plan(target.key, demand, capacities, planned, 10.0, feasible=True)
    )


@pytest.mark.parametrize(
    ("recent", "after"),
    [(150.0, 15), (150.1, 16), (199.0, 20), (300.0, 20), (120.0, 12), (80.0, 12)],
)
def test_no_more_goes_than_the_mean_of_a_quarter_of_an_hour_leaves(recent: float, after: int) -> None:
    ruling = LullRule().judge(case(ONE, {"h100": 12}, {"h100": 20}, recent), {"h100": 12})
    assert ruling.after == {"h100": after}
    assert ruling.effect is (RulingEffect.PASS if after == 12 else RulingEffect.HOLD)
    if after > 12:
        assert f"95% of the mean of the last 15 minutes is work as that of {recent:.2f} requests/s" in ruling.reason
    assert (LULL_S, LULL_SHARE) == (900.0, 0.95)


def test_it_asks_for_nothing() -> None:
    for planned in (20, 25):
        ruling = LullRule().judge(case(ONE, {"h100": planned}, {"h100": 20}, 400.0), {"h100": planned})
        assert (ruling.effect, ruling.after) == (RulingEffect.PASS, {"h100": planned})


def test_where_nothing_is_known_nothing_is_held() -> None:
    ruling = LullRule().judge(case(ONE, {"h100": 12}, {"h100": 20}, None), {"h100": 12})
    assert ruling.after == {"h100": 12}
    assert "is not known" in ruling.reason
    told = case(ONE, {"h100": 12}, {"h100": 20}, 400.0)
    assert LullRule().judge(replace(told, plan=None), {"h100": 12}).after == {"h100": 12}


def test_a_variant_that_cannot_serve_the_model_blinds_nobody() -> None:
    now = case(TWO, {"h100": 12, "l40s": 0}, {"h100": 20, "l40s": 0}, 150.0)
    assert now.plan is not None
    alone = replace(now, plan=replace(now.plan, capacities=now.plan.capacities[:1]))
    assert LullRule().judge(alone, {"h100": 12, "l40s": 0}).after == {"h100": 15, "l40s": 0}
    mixed = replace(alone, current={"h100": 20, "l40s": 1})
    assert LullRule().judge(mixed, {"h100": 12, "l40s": 1}).after == {"h100": 12, "l40s": 1}


def test_what_falls_for_certain_is_no_lull() -> None:
    falls = Regime(RAMP, 0.8, None, tuple(90.0 for _ in DEFAULT_LEVELS))
    ruling = LullRule().judge(case(ONE, {"h100": 12}, {"h100": 20}, 190.0, (falls,)), {"h100": 12})
    assert ruling.after == {"h100": 12}
    assert "falls for certain" in ruling.reason


def test_of_several_variants_the_dearest_replicas_go_first() -> None:
    now = case(TWO, {"h100": 10, "l40s": 0}, {"h100": 14, "l40s": 4}, 135.0)
    assert LullRule().judge(now, {"h100": 10, "l40s": 0}).after == {"h100": 13, "l40s": 2}


def test_an_exchange_in_a_lull_does_not_buy_both_fleets() -> None:
    planned, current = {"h100": 8, "l40s": 7}, {"h100": 12, "l40s": 0}
    now = case(TWO, planned, current, 118.0)
    held = LullRule().judge(now, planned).after
    assert held == {"h100": 10, "l40s": 7}
    assert ExchangeRule().judge(now, held).after == {"h100": 10, "l40s": 1}
    calm = case(TWO, planned, current, 100.0)
    assert LullRule().judge(calm, planned).after == planned
    assert ExchangeRule().judge(calm, planned).after == planned, "the mean agrees on it"


def a_load(rps: float, prompt: float = 1000.0, answer: float = 200.0) -> Load:
    return Load(rps, prompt, answer, answer * (prompt + answer))


def seen(*loads: Load) -> RecentLoad:
    recent = RecentLoad()
    for minute, load in enumerate(loads):
        recent = recent.adding(load, 60.0 * minute)
    return recent


def test_the_mean_is_told_in_requests_of_now() -> None:
    costs = side_costs(ONE)
    steady = seen(*(a_load(rps) for rps in (20.0, 14.0, 8.0)))
    assert steady.mean_rps(120.0, 180.0, costs, 0.0) == pytest.approx(14.0)
    assert steady.mean_rps(120.0, 120.0, costs, 0.0) == pytest.approx(11.0), "of the last two minutes alone"
    shorter = seen(a_load(10.0, 2000.0), a_load(10.0, 1000.0))
    rate = shorter.mean_rps(60.0, 120.0, costs, 0.0)
    assert rate is not None
    assert 11.0 < rate < 15.0, "as many requests, and less work in each"
    assert shorter.mean_rps(60.0, 120.0, (), 0.0) == 10.0, "by their number, where no work is told"
    level = shorter.mean_rps(60.0, 120.0, costs, 0.0, a_load(20.0, 2000.0))
    assert level is not None
    assert level < 10.0, "beside the level that is taken to come"


def test_nothing_has_no_mean() -> None:
    assert RecentLoad().mean_rps(0.0, 900.0, side_costs(ONE), 0.0) is None
    assert seen(a_load(5.0), a_load(0.0)).mean_rps(60.0, 900.0, side_costs(ONE), 0.0) is None
