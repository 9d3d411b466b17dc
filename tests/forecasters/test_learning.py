"""The parts that learn, each against what is known of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasters.arima import LARGEST_ROOT, Arima, _inside
from forecasters.backtest import score, superposed
from forecasters.base import Forecaster
from forecasters.conformal import MOST, Calibration
from forecasters.errors import column_quantiles, peaks
from forecasters.prior import start
from forecasters.quantile_learner import QuantileLearner
from forecasters.registry import create
from forecasters.shift import shifts
from forecasters.trend import FEATURES, Trend
from forecasters.types import DEFAULT_LEVELS, Series


def test_the_regression_finds_the_quantiles_of_what_it_sees() -> None:
    random = np.random.default_rng(1)
    learner = QuantileLearner((0.5, 0.9), np.zeros((2, 2)), (5000.0,), (1.0,))
    for _ in range(6000):
        slope = random.normal()
        learner.learn(np.array([1.0, slope]), 2.0 * slope + random.normal())
    # A bell's median is 0 and its 0.9 quantile 1.28 at every slope.
    assert learner.quantiles(np.array([1.0, 1.0]))[0] == pytest.approx([2.0, 3.28], abs=0.25)


def test_quantiles_never_cross() -> None:
    learner = QuantileLearner((0.1, 0.9), np.array([[1.0, 1.0], [2.0, -1.0]]), (100.0,), (1.0,))
    assert list(learner.quantiles(np.array([1.0, 5.0]))[0]) == [-3.0, 6.0]


@settings(max_examples=20, deadline=None)
@given(wrong=st.floats(-1.5, 2.0), seed=st.integers(0, 99))
def test_calibration_makes_a_quantile_within_its_reach_hold(wrong: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    calibration = Calibration((0.9,), step=0.05)
    held = []
    for _ in range(3000):
        published, actual = wrong + calibration.shift, float(random.normal())
        held.append(bool(actual <= published[0]))
        calibration.learn(published, actual)
    assert np.mean(held[1000:]) == pytest.approx(0.9, abs=0.03)


def test_calibration_goes_no_further_than_its_limit() -> None:
    calibration = Calibration((0.9,), step=1.0)
    for _ in range(100):
        calibration.learn(np.array([0.0]), 1.0)
    assert list(calibration.shift) == [MOST]


def test_a_run_of_bins_far_away_is_a_new_level_by_hand() -> None:
    values = np.array([10.0] * 20 + [30.0] * 3)
    levels, scales = np.full(23, 10.0), np.full(23, 1.0)
    found = shifts(values, levels, scales, 4)
    # Nothing before the jump; then one bin, two and three at 20 scales away: 0.5, 0.8 and 0.95 believed.
    assert list(found.share) == pytest.approx([0.0, 0.5, 0.8, 0.95])
    assert list(found.level) == [0.0, 30.0, 30.0, 30.0]
    assert found.scale[3] == pytest.approx(3.0**0.5)


def test_noise_within_four_scales_is_no_jump() -> None:
    values = np.array([10.0] * 20 + [13.9] * 3)
    assert not shifts(values, np.full(23, 10.0), np.full(23, 1.0), 3).share.any()


def test_features_have_no_unit() -> None:
    values = np.random.default_rng(4).poisson(100, 300) / 10.0
    one, other = Trend(1440).extend(values, 0, 4), Trend(1440).extend(values * 1000, 0, 4)
    assert other.features == pytest.approx(one.features, abs=1e-6)
    assert other.scale == pytest.approx(1000 * one.scale)


def test_features_bin_by_bin_are_those_at_once() -> None:
    values = np.random.default_rng(4).poisson(100, 1600) / 10.0
    at_once, trend = Trend(1440).extend(values, 0, 4), Trend(1440)
    for end in range(1, 1601):
        row = trend.extend(values[:end], end - 1, 4)
    assert row.features[0] == pytest.approx(at_once.features[-1], abs=1e-9)


def test_a_look_leaves_no_trace() -> None:
    values = np.random.default_rng(4).poisson(100, 100) / 10.0
    looked, plain = Trend(1440), Trend(1440)
    looked.extend(values[:50], 0, 4)
    plain.extend(values[:50], 0, 4)
    looked.look(np.append(values[:50], 1000.0), 50, 4)
    assert looked.extend(values, 50, 4).features == pytest.approx(plain.extend(values, 50, 4).features)


@pytest.mark.parametrize("steps", [1, 3, 8, 30, 60])
def test_the_prior_is_ordered_and_grows_with_the_window(steps: int) -> None:
    begin = start(steps)
    assert begin.shape == (len(DEFAULT_LEVELS), FEATURES)
    assert list(begin[:, 0]) == sorted(begin[:, 0])
    assert (start(steps + 1)[:, 0] >= begin[:, 0]).all()


@settings(max_examples=50)
@given(st.lists(st.one_of(st.just(float("nan")), st.floats(-1e6, 1e6)), max_size=30))
def test_column_quantiles_are_numpys(column: list[float]) -> None:
    values = np.array([*column, 1.0])[:, None]
    expected = np.nanquantile(values[:, 0], DEFAULT_LEVELS)
    assert column_quantiles(values, DEFAULT_LEVELS)[0] == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_a_window_counts_where_half_of_it_was_seen() -> None:
    nan = float("nan")
    highest = peaks(np.array([[1.0, nan, nan, 3.0], [nan, nan, nan, 9.0]]))
    assert highest[0] == 3.0
    assert np.isnan(highest[1])


def test_a_backtest_never_shows_what_comes_after() -> None:
    ends: list[int] = []

    class Spy(type(create("last-value"))):  # type: ignore[misc]
        def fit(self, seen: Series) -> None:
            ends.append(-len(seen.values))
            super().fit(seen)

        def update(self, seen: Series) -> None:
            ends.append(len(seen.values))
            super().update(seen)

    def make() -> Forecaster:
        return Spy()

    judged = score(make, Series(0.0, 60.0, tuple(float(v) for v in range(100))), 120.0, origins=5, refits=2)
    fits = [-end for end in ends if end < 0]
    assert (judged.origins, fits) == (5, [51, 74])
    assert max(ends) == 98  # the last origin is bin 97, whose window is the last two bins


def test_a_backtest_by_hand() -> None:
    judged = score(lambda: create("last-value"), Series(0.0, 60.0, (5.0,) * 60), 60.0)
    assert judged.coverage == 1.0
    assert judged.level == 5.0
    assert len(judged.coverages) == len(DEFAULT_LEVELS)


def test_copies_keep_the_sum_and_the_gaps() -> None:
    made = superposed(Series(0.0, 60.0, (1.0, None, 3.0, 4.0)), 2)
    assert made.values[1] is None
    assert superposed(Series(0.0, 60.0, (1.0, 2.0, 3.0)), 1).values == (1.0, 2.0, 3.0)
    assert (
        sum(v or 0.0 for v in superposed(Series(0.0, 60.0, tuple(float(v) for v in range(100))), 5).values) == 5 * 4950
    )


def test_no_copies_are_refused() -> None:
    with pytest.raises(ValueError, match="copies is 0"):
        superposed(Series(0.0, 60.0, (1.0,)), 0)


def test_arima_by_hand() -> None:
    made = Arima.of({"ar1": 0.5, "ar2": 0.0, "ma1": 0.0, "ma2": 0.0})
    # The last change was 4: the next are 2, then 1.
    assert list(made.ahead(np.array([10.0, 10.0, 14.0]), 2, 2)[0]) == [16.0, 17.0]


def test_roots_beyond_the_circle_are_drawn_in() -> None:
    first, second = _inside(2.0, -1.0)
    assert np.abs(np.roots([1.0, -first, -second])) == pytest.approx([LARGEST_ROOT] * 2, abs=1e-6)
    assert _inside(0.5, 0.1) == (0.5, 0.1)
