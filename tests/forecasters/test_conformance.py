"""Every forecaster in the registry must pass this suite; that is what makes it one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasters.base import Forecaster
from forecasters.history import NoHistory
from forecasters.registry import FORECASTERS, create, restore
from forecasters.types import DEFAULT_LEVELS, Series

NAMES = sorted(FORECASTERS)
MINUTE_S, HORIZON_S = 60.0, 195.0


def series(values: list[float | None], start_s: float = 0.0) -> Series:
    return Series(start_s, MINUTE_S, tuple(values))


def day(days: float = 2.0) -> list[float | None]:
    random = np.random.default_rng(3)
    minutes = np.arange(int(days * 1440))
    rate = 10 + 6 * np.sin(minutes / 1440 * 2 * np.pi)
    return [float(v) for v in random.poisson(rate * 60) / 60]


def fitted(name: str, values: list[float | None]) -> Forecaster:
    forecaster = create(name)
    forecaster.fit(series(values))
    return forecaster


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(values=st.lists(st.one_of(st.none(), st.floats(0, 1e6)), min_size=1, max_size=80))
def test_quantiles_are_ordered_finite_and_not_negative(name: str, values: list[float | None]) -> None:
    if all(v is None for v in values):
        with pytest.raises(NoHistory):
            fitted(name, values)
        return
    forecast = fitted(name, values).predict(60.0 * len(values), HORIZON_S)
    for quantiles in (*forecast.values, forecast.peak):
        assert all(math.isfinite(q) and q >= 0 for q in quantiles)
        assert list(quantiles) == sorted(quantiles)
    assert forecast.levels == DEFAULT_LEVELS
    assert forecast.forecaster == name


@pytest.mark.parametrize("name", NAMES)
def test_the_peak_is_never_below_any_bin(name: str) -> None:
    forecast = fitted(name, day()).predict(0.0, 600.0)
    for step in forecast.values:
        assert all(p >= v for p, v in zip(forecast.peak, step, strict=True))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("horizon_s", "bins"), [(1.0, 1), (60.0, 1), (60.1, 2), (195.0, 4), (1800.0, 30)])
def test_the_horizon_is_rounded_up_to_whole_bins(name: str, horizon_s: float, bins: int) -> None:
    forecast = fitted(name, day(0.1)).predict(5.0, horizon_s)
    assert len(forecast.values) == bins
    assert (forecast.made_at_s, forecast.step_s) == (5.0, MINUTE_S)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("horizon_s", [0.0, -1.0, math.inf, math.nan])
def test_a_horizon_that_is_not_one_is_refused(name: str, horizon_s: float) -> None:
    with pytest.raises(ValueError, match="horizon_s is"):
        fitted(name, day(0.1)).predict(0.0, horizon_s)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_survive_the_journey_through_json(name: str) -> None:
    here = fitted(name, day())
    there = restore(name, here.dump())
    there.update(series(day()))
    assert there.predict(0.0, HORIZON_S) == here.predict(0.0, HORIZON_S)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_history_gives_the_same_forecast(name: str) -> None:
    assert fitted(name, day()).predict(0.0, HORIZON_S) == fitted(name, day()).predict(0.0, HORIZON_S)


@pytest.mark.parametrize("name", NAMES)
def test_without_a_fit_the_defaults_serve(name: str) -> None:
    forecaster = create(name)
    forecaster.update(series([5.0, 5.0, 5.0]))
    assert forecaster.predict(0.0, HORIZON_S).peak_at(0.5) == pytest.approx(5.0, rel=0.2)


@pytest.mark.parametrize("name", NAMES)
def test_before_it_looked_it_does_not_predict(name: str) -> None:
    with pytest.raises(ValueError, match="before fit or update"):
        create(name).predict(0.0, HORIZON_S)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0])
def test_a_bad_value_is_refused_by_its_place(name: str, bad: float) -> None:
    with pytest.raises(ValueError, match=r"values\[1\] is"):
        create(name).update(series([1.0, bad]))


@pytest.mark.parametrize("name", NAMES)
def test_a_gap_is_not_a_zero(name: str) -> None:
    values = day()
    gone: list[float | None] = [*values[:-5], None, None, None, None, None]
    with_gap, without = fitted(name, gone), fitted(name, values[:-5])
    expected = without.predict(0.0, HORIZON_S).peak_at(0.5)
    assert with_gap.predict(0.0, HORIZON_S).peak_at(0.5) == pytest.approx(expected, rel=0.25)


@pytest.mark.parametrize("name", NAMES)
def test_a_quiet_series_stays_quiet(name: str) -> None:
    forecast = fitted(name, [0.0] * 100).predict(0.0, HORIZON_S)
    assert forecast.peak_at(0.99) < 0.1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_traffic_that_comes_and_goes_is_not_foreseen_a_hundredfold(name: str, unit: float) -> None:
    on_off: list[float | None] = [*([0.0] * 10), *([10.0 * unit] * 10)] * 40
    assert fitted(name, on_off).predict(0.0, HORIZON_S).peak_at(0.99) < 50.0 * unit


@pytest.mark.parametrize("name", NAMES)
def test_sparse_tokens_stay_near_what_was_ever_seen(name: str) -> None:
    requests = np.random.default_rng(3).poisson(0.6, 1440)
    tokens: list[float | None] = [float(count) * 1000 / 60 for count in requests]
    assert fitted(name, tokens).predict(0.0, HORIZON_S).peak_at(0.9) < 3 * max(v for v in tokens if v is not None)


@pytest.mark.parametrize("name", NAMES)
def test_another_unit_gives_the_same_forecast_in_it(name: str) -> None:
    quiet_nights: list[float | None] = [0.0 if minute % 120 < 40 else v for minute, v in enumerate(day())]
    thousandfold: list[float | None] = [None if v is None else v * 1000 for v in quiet_nights]
    one, other = fitted(name, quiet_nights), fitted(name, thousandfold)
    expected = [q * 1000 for q in one.predict(0.0, HORIZON_S).peak]
    # A fit ends near the best parameters, not on them, and stops elsewhere in another unit.
    assert other.predict(0.0, HORIZON_S).peak == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_a_new_level_is_followed_within_ten_bins(name: str) -> None:
    forecast = fitted(name, [*([10.0] * 200), *([30.0] * 10)]).predict(0.0, HORIZON_S)
    assert forecast.peak_at(0.5) == pytest.approx(30.0, rel=0.2)


@pytest.mark.parametrize("name", NAMES)
def test_more_history_narrows_the_band(name: str) -> None:
    short, long = fitted(name, [10.0] * 5), fitted(name, [10.0] * 500)
    assert long.predict(0.0, HORIZON_S).peak_at(0.9) < short.predict(0.0, HORIZON_S).peak_at(0.9)


@pytest.mark.parametrize("name", NAMES)
def test_the_ninety_percent_quantile_holds_about_nine_times_in_ten(name: str) -> None:
    values = day(3.0)
    forecaster = create(name)
    forecaster.fit(series(values[:1440]))
    held = []
    for origin in range(1500, 4200, 45):
        forecaster.update(series(values[: origin + 1]))
        held.append(max(v for v in values[origin + 1 : origin + 5] if v) <= forecaster.predict(0.0, 240.0).peak_at(0.9))
    assert 0.8 <= float(np.mean(held)) <= 0.99
