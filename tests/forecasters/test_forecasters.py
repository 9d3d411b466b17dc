"""Each forecaster against numbers worked by hand, and the choice between them."""

from __future__ import annotations

import numpy as np
import pytest

from forecasters.backtest import pinball, score
from forecasters.history import NoHistory
from forecasters.registry import create, restore
from forecasters.selection import fit_best
from forecasters.smoothing import DEFAULTS, Smoothing
from forecasters.swing import Rhythm, Swing
from forecasters.types import QuantileForecast, Series, interpolate

STEP_S = 60.0


def series(values: list[float | None]) -> Series:
    return Series(0.0, STEP_S, tuple(values))


def test_last_value_centres_on_the_last_bin() -> None:
    forecaster = create("last-value")
    forecaster.update(series([4.0] * 300 + [9.0]))
    forecast = forecaster.predict(0.0, 120.0)
    assert forecast.values[1][1] == pytest.approx(9.0, abs=0.2)


def test_seasonal_naive_takes_yesterdays_path_at_todays_level() -> None:
    yesterday = [float(10 + (minute % 60)) for minute in range(1440)]
    today = [2.0 * value for value in yesterday[:600]]
    forecaster = create("seasonal-naive")
    forecaster.update(series([*yesterday, *today]))
    forecast = forecaster.predict(0.0, 180.0)
    medians = [step[1] for step in forecast.values]
    assert medians == pytest.approx([2 * v for v in yesterday[600:603]], rel=0.05)


def test_smoothing_follows_the_recursion() -> None:
    alpha, beta, phi = DEFAULTS["level"], DEFAULTS["trend"], DEFAULTS["damping"]
    level = 10 + alpha * (20 - 10)
    trend = beta * (level - 10)
    forecaster = Smoothing()
    path = forecaster.ahead(np.array([10.0, 20.0]), 1, 2)[0]
    assert path == pytest.approx([level + phi * trend, level + (phi + phi**2) * trend])


def test_smoothing_learns_its_parameters_from_the_series() -> None:
    random = np.random.default_rng(5)
    noisy = [float(v) for v in 100 + random.normal(0, 10, 400)]
    forecaster = create("smoothing")
    forecaster.fit(series(noisy))
    assert restore("smoothing", forecaster.dump())._smoothing["level"] < 0.2  # noise around a level: a long memory


def test_pinball_loss_by_hand() -> None:
    assert pinball(0.9, 10.0, 12.0) == pytest.approx(1.8)
    assert pinball(0.9, 12.0, 10.0) == pytest.approx(0.2)


def test_a_fit_says_what_the_members_lost() -> None:
    hours = np.arange(3744) // 60 % 24
    square = [100.0 if 9 <= hour < 17 and hour % 2 else 5.0 for hour in hours]
    selected = fit_best(series(square), 1800.0)
    assert selected.name == "ensemble"
    assert selected.losses["seasonal-naive"] < selected.losses["last-value"]
    assert selected.name in selected.losses


def test_a_history_of_minutes_is_fitted_without_losses() -> None:
    selected = fit_best(series([1.0, 2.0, 3.0]), 600.0)
    assert (selected.name, selected.losses) == ("ensemble", {})


def test_nothing_seen_cannot_be_fitted() -> None:
    with pytest.raises(NoHistory):
        fit_best(series([None, None]), 60.0)


def test_score_counts_only_what_could_be_judged() -> None:
    judged = score(lambda: create("last-value"), series([5.0] * 50 + [None] * 50), 60.0)
    assert judged.origins == 0


def test_an_unknown_forecaster_is_refused_by_name() -> None:
    with pytest.raises(KeyError, match=r"crystal-ball.*last-value"):
        create("crystal-ball")


def test_interpolation_between_levels() -> None:
    assert interpolate((0.5, 0.9), (10.0, 20.0), 0.7) == pytest.approx(15.0)
    assert interpolate((0.5, 0.9), (10.0, 20.0), 0.99) == 20.0
    assert interpolate((0.5, 0.9), (10.0, 20.0), 0.1) == 10.0


def test_a_forecast_knows_its_horizon() -> None:
    forecast = QuantileForecast(0.0, 60.0, (0.5,), ((1.0,), (2.0,)), (2.0,), "x")
    assert forecast.horizon_s == 120.0


def test_a_series_without_a_step_is_refused() -> None:
    with pytest.raises(ValueError, match="step_s is 0"):
        Series(0.0, 0, ())


def test_a_swing_flattens_out() -> None:
    # A slope of (9 - 5)/2 = 2 a bin, of which 0.6 and 0.36 go on.
    path = Swing(0.6).ahead(np.array([5.0, 7.0, 9.0]), 2, 2)
    assert path[0].tolist() == pytest.approx([10.2, 10.92])


def test_a_rhythm_turns_where_a_line_goes_on() -> None:
    bins = np.arange(60)
    wave = 8.0 - 6.0 * np.cos(2.0 * np.pi * bins / 10.0)
    path = Rhythm().ahead(wave[:54], 53, 4)[0]
    assert path == pytest.approx(wave[54:58], abs=1.5)
    assert path[-1] < wave[53]


def test_a_rhythm_of_noise_is_near_its_last_value_and_within_what_was_seen() -> None:
    noise = np.random.default_rng(4).normal(20.0, 1.0, 80)
    path = Rhythm().ahead(noise, 60, 6)
    assert path.min() > 17.0
    assert path.max() < 23.5
