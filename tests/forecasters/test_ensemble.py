"""What the ensemble promises: from minute one, through gaps, noughts, shifts and spikes, in milliseconds."""

from __future__ import annotations

import time

import numpy as np
import pytest

from forecasters.backtest import score
from forecasters.ensemble import Ensemble
from forecasters.registry import create, restore
from forecasters.types import QuantileForecast, Series

HORIZON_S = 195.0


def series(values: list[float | None] | list[float], start_s: float = 0.0) -> Series:
    return Series(start_s, 60.0, tuple(values))


def arrivals(rates: object, seed: int = 2) -> list[float]:
    """Poisson arrivals a minute, as a rate."""
    return [float(v) / 60 for v in np.random.default_rng(seed).poisson(np.asarray(rates, dtype=float) * 60)]


def seen(values: list[float | None] | list[float], made_at_s: float | None = None) -> QuantileForecast:
    forecaster = create("ensemble")
    forecaster.update(series(values))
    return forecaster.predict(60.0 * len(values) if made_at_s is None else made_at_s, HORIZON_S)


def test_followed_bin_by_bin_it_says_what_it_says_at_once() -> None:
    values = arrivals(20 + 10 * np.sin(np.arange(400) / 60))
    followed = create("ensemble")
    for end in range(40, 401):
        followed.update(series(values[:end]))
        last = followed.predict(60.0 * end, HORIZON_S)
    assert last.peak == pytest.approx(seen(values).peak, rel=1e-5)


def test_a_history_whose_head_is_dropped_goes_on() -> None:
    values = arrivals([20.0] * 600)
    whole, dropping = create("ensemble"), create("ensemble")
    for forecaster in (whole, dropping):
        forecaster.update(series(values[:500]))
        forecaster.predict(500 * 60.0, HORIZON_S)
    whole.update(series(values))
    dropping.update(series(values[100:600], 6000.0))
    expected = whole.predict(600 * 60.0, HORIZON_S).peak
    assert dropping.predict(600 * 60.0, HORIZON_S).peak == pytest.approx(expected, rel=1e-6)


def test_another_history_is_begun_anew() -> None:
    followed = create("ensemble")
    followed.update(series(arrivals([20.0] * 300)))
    followed.predict(300 * 60.0, HORIZON_S)
    other = arrivals([50.0] * 300, seed=9)
    followed.update(series(other))
    assert followed.predict(300 * 60.0, HORIZON_S) == seen(other)


@pytest.mark.parametrize("bins", [1, 2, 3, 5, 10])
def test_from_the_first_minute_it_stays_near_what_it_saw(bins: int) -> None:
    forecast = seen(arrivals([20.0] * bins))
    assert 18 < forecast.peak_at(0.5) < 24
    assert forecast.peak_at(0.95) < 35


@pytest.mark.parametrize(("old", "new"), [(10.0, 30.0), (30.0, 10.0), (100.0, 130.0)])
def test_a_new_level_is_there_after_three_bins(old: float, new: float) -> None:
    forecast = seen(arrivals([old] * 300 + [new] * 3))
    assert forecast.peak_at(0.5) == pytest.approx(new, rel=0.12)
    assert forecast.peak_at(0.95) < 1.25 * new


def test_one_spike_is_not_taken_for_a_level() -> None:
    values = arrivals([20.0] * 300)
    values[-1] = 60.0
    assert seen(values).peak_at(0.9) < 47.0
    assert seen([*values, *arrivals([20.0] * 12)]).peak_at(0.9) < 30.0


def test_a_ramp_is_followed_ahead() -> None:
    forecast = seen(arrivals(np.linspace(20, 80, 120)))
    assert 80 < forecast.peak_at(0.5) < 87


def test_noughts_are_foreseen_as_noughts_and_the_first_request_is_no_flood() -> None:
    assert seen([0.0] * 200).peak_at(0.99) == pytest.approx(0.0, abs=1e-9)
    assert seen([*([0.0] * 200), 5.0]).peak_at(0.99) < 10.0


def test_a_series_that_begins_with_noughts_is_learned_from() -> None:
    values = [0.0, 0.0, 0.0, *arrivals([0.5] * 600)]
    assert seen(values).peak_at(0.9) < 1.5


@pytest.mark.parametrize("every", [2, 3])
def test_a_history_full_of_gaps_still_has_errors(every: int) -> None:
    whole = arrivals([20.0] * 600)
    gappy = [v if place % every else None for place, v in enumerate(whole)]
    assert seen(gappy).peak_at(0.9) == pytest.approx(seen(whole).peak_at(0.9), rel=0.1)


def test_a_bin_that_has_just_begun_is_believed_little_and_one_that_ends_fully() -> None:
    values = arrivals([20.0] * 300)
    medians = [seen([*values, 40.0], 300 * 60.0 + elapsed_s).peak_at(0.5) for elapsed_s in (0.0, 20.0, 40.0, 60.0)]
    assert medians == sorted(medians)
    assert medians[0] < 0.4 * medians[-1] + 0.6 * seen(values).peak_at(0.5)
    assert medians[-1] == pytest.approx(seen([*values, 40.0]).peak_at(0.5))


@pytest.mark.parametrize("shift_bins", [-60, 60])
def test_the_day_after_the_clocks_were_changed_the_shifted_day_is_taken(shift_bins: int) -> None:
    minutes = np.arange(1440)
    day = 20 + 15 * np.sin(minutes / 1440 * 6 * 2 * np.pi)
    today = np.roll(np.tile(day, 2), shift_bins)[:700]
    forecaster = create("seasonal-naive")
    forecaster.update(series([*day, *today]))
    expected = np.roll(np.tile(day, 2), shift_bins)[700:720]
    medians = [step[1] for step in forecaster.predict(0.0, 1200.0).values]
    assert medians == pytest.approx(list(expected), rel=0.15)


def test_last_week_serves_where_there_is_a_week() -> None:
    week = [float(10 + place // 1440 * 5 + place % 60) for place in range(7 * 1440)]
    forecaster = create("seasonal-naive-week")
    forecaster.update(series([*week, *week[:400]]))
    medians = [step[1] for step in forecaster.predict(0.0, 180.0).values]
    assert medians == pytest.approx(week[400:403], rel=0.05)


def test_in_noise_it_loses_a_sixth_less_than_the_last_value_and_holds_what_it_says() -> None:
    minutes = np.arange(2000)
    values = series(arrivals(5 + 3 * np.sin(minutes / 1440 * 2 * np.pi)))
    naive = score(lambda: create("last-value"), values, HORIZON_S, origins=120)
    made = score(lambda: create("ensemble"), values, HORIZON_S, origins=120, refits=0)
    assert made.pinball is not None
    assert naive.pinball is not None
    assert made.coverage is not None
    assert made.pinball < naive.pinball * 5 / 6
    assert 0.84 <= made.coverage <= 0.96


def test_a_fit_adds_the_statistical_members_and_survives_the_journey() -> None:
    values = series(arrivals(20 + 10 * np.sin(np.arange(2880) / 1440 * 2 * np.pi)))
    here = Ensemble()
    here.fit(values)
    assert {"arima.ar1", "theta.alpha", "smoothing.level", "holt-winters.hour00"} <= here.parameters().keys()
    there = restore("ensemble", here.dump())
    there.update(values)
    assert there.predict(values.end_s, HORIZON_S) == here.predict(values.end_s, HORIZON_S)
    assert "arima" in here.losses(HORIZON_S)


def test_other_levels_lie_between_those_that_are_learned() -> None:
    forecaster = create("ensemble")
    forecaster.update(series(arrivals([20.0] * 200)))
    usual = forecaster.predict(12_000.0, HORIZON_S)
    other = forecaster.predict(12_000.0, HORIZON_S, (0.5, 0.6, 0.9))
    assert other.peak == pytest.approx((usual.peak_at(0.5), usual.peak_at(0.6), usual.peak_at(0.9)))


def test_a_tick_of_three_quantities_takes_less_than_twenty_milliseconds() -> None:
    values = arrivals(20 + 10 * np.sin(np.arange(2920) / 1440 * 2 * np.pi))
    forecasters = [create("ensemble") for _ in range(3)]
    took_s = []
    for tick in range(41):
        now = series(values[: 2881 + tick // 4])
        began_s = time.process_time()
        for forecaster in forecasters:
            forecaster.update(now)
            forecaster.predict(172_800.0 + 15.0 * tick, HORIZON_S)
        took_s.append(time.process_time() - began_s)
    # The first look learns from the history; the rest are what a tick costs.
    assert float(np.median(took_s[1:])) < 0.020
