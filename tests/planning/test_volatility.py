"""How restless a load is beside what is usual, and the margin that follows from it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from controlplane.domain.decision import Demand, Memory
from controlplane.planning.acquaintance import margin
from controlplane.planning.demand import demand
from controlplane.planning.explain import sentences
from controlplane.planning.volatility import GROWTH_POWER, LIMITS, PRIOR_WINDOWS, USUAL_GROWTH, volatility
from forecasters.types import Series
from tests.builders import NOW_S, make_forecast, make_group, make_inputs, make_observation, make_target, make_tick


def series(values: list[float | None]) -> Series:
    return Series(0.0, 60.0, tuple(values))


def wandering(bins: int, ratio: float, level: float = 1000.0, seed: int = 5) -> Series:
    """A load whose growth within two and four minutes is `ratio` of the usual."""
    usual = USUAL_GROWTH * (3 * 60.0 / 75.0) ** GROWTH_POWER / math.sqrt(3)
    steps = np.random.default_rng(seed).normal(0.0, ratio * usual, bins)
    drift = np.zeros(bins)
    for i, step in enumerate(steps):  # drawn back to the level, so that it stays the same load
        drift[i] = 0.98 * (drift[i - 1] if i else 0.0) + step
    return series((level * np.exp(drift)).tolist())


def test_before_anything_was_seen_it_is_the_usual() -> None:
    assert volatility(series([]), series([])) == 1.0
    assert volatility(series([5.0]), series([5.0])) == 1.0
    assert volatility(series([None] * 30), series([None] * 30)) == 1.0


@pytest.mark.parametrize("ratio", [0.6, 0.8, 1.0, 1.3])
def test_after_a_day_it_is_what_was_seen(ratio: float) -> None:
    load = wandering(1440, ratio)
    assert volatility(load, load) == pytest.approx(ratio, rel=0.2)


def test_what_is_calm_for_a_quarter_of_an_hour_is_not_yet_calm() -> None:
    young, old = (volatility(load, load) for load in (series([1e4] * 16), series([1e4] * 300)))
    assert young == pytest.approx(math.sqrt(PRIOR_WINDOWS / (PRIOR_WINDOWS + (13 / 2 + 11 / 4) / 2)), rel=1e-6)
    assert young > 0.8
    assert old == LIMITS[0]


def test_a_load_that_leaps_is_not_planned_for_whole() -> None:
    leaping = series([10.0, 60.0, 5.0, 80.0] * 60)
    assert volatility(leaping, leaping) == LIMITS[1]


def test_the_last_minute_is_not_over_and_does_not_count() -> None:
    calm = [1e4] * 60
    assert volatility(series([*calm, 9e4]), series([*calm, 9e4])) == volatility(
        series([*calm, 1e4]), series([*calm, 1e4])
    )


def poisson(rps: float, minutes: int = 600) -> Series:
    """A steady Poisson process as the controller sees it: every 15 s the mean of the last minute, in bins of a minute."""
    quarters = np.random.default_rng(7).poisson(rps * 15.0, 4 * minutes + 3) / 15.0
    seen = np.convolve(quarters, np.full(4, 0.25), "valid")
    return series(seen.reshape(minutes, 4).mean(axis=1).tolist())


def test_the_ripple_of_few_requests_is_no_restlessness() -> None:
    few, many = poisson(1.0), poisson(100.0)
    assert volatility(many, many) == volatility(few, few) == LIMITS[0]
    assert volatility(few, many) > 0.9, "as many requests could not differ so by chance"


def test_the_margin_follows() -> None:
    assert margin(1e9, 435.0, 0.9, 0.5) == pytest.approx(0.5 * margin(1e9, 435.0, 0.9), rel=1e-4)
    # What a minute's count is uncertain by has nothing to do with it.
    drift, ripple = margin(1e9, 75.0, 0.9), 2.0 / math.sqrt(120.0)
    assert margin(2.0, 75.0, 0.9, 0.5) == pytest.approx(math.hypot(0.5 * drift, ripple), rel=1e-3)


@pytest.mark.parametrize(("restless", "said"), [(0.5, "0.5 times as much"), (1.0, ""), (1.4, "1.4 times as much")])
def test_who_asks_why_is_told_that_a_load_is_calm(restless: float, said: str) -> None:
    target = make_target()
    forecast = replace(make_forecast(target, 10.0), volatility=restless)
    memory = Memory(first_seen_at_s=NOW_S - 900.0)
    tick = make_tick(inputs=make_group(make_inputs(target, make_observation(target, 10.0), forecast, memory)))
    expected = next(line for line in sentences(tick) if line.startswith("Expected"))
    assert said in expected
    assert ("as is usual" in expected) == bool(said)


def planned(restless: float) -> Demand:
    target = make_target()
    forecast = replace(make_forecast(target, 10.0), volatility=restless)
    found = demand(make_inputs(target, make_observation(target, 10.0), forecast, Memory(first_seen_at_s=NOW_S - 900.0)))
    assert found is not None
    return found


def test_a_calm_load_is_planned_for_with_less() -> None:
    assert 10.0 < planned(0.5).requests_per_s < planned(1.0).requests_per_s < planned(1.5).requests_per_s
