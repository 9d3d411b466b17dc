"""By how much a load grows within a few bins."""

from __future__ import annotations

import numpy as np
import pytest

from forecasters.types import Series
from forecasters.volatility import squared_growths


def series(*values: float | None) -> Series:
    return Series(0.0, 60.0, values)


def test_growth_is_from_a_bin_to_the_highest_of_those_that_follow() -> None:
    # From 10 to 12 and from 12 to no more, from 9 to 18.
    assert squared_growths(series(10.0, 12.0, 9.0, 18.0), 1, 9.0) == (pytest.approx((0.2**2 + 0.0 + 1.0) / 3), 3)
    assert squared_growths(series(10.0, 12.0, 9.0, 18.0), 2, 9.0) == (pytest.approx((0.2**2 + 0.5**2) / 2), 2)


def test_one_spike_counts_for_so_much_and_no_more() -> None:
    assert squared_growths(series(1.0, 1000.0), 1, 0.5) == (0.25, 1)


def test_what_only_falls_does_not_grow() -> None:
    assert squared_growths(series(*range(20, 0, -1)), 3, 1.0) == (0.0, 17)


def test_windows_with_a_gap_or_from_zero_are_left_out() -> None:
    assert squared_growths(series(10.0, None, 10.0, 11.0), 1, 1.0) == (pytest.approx(0.01), 1)
    assert squared_growths(series(0.0, 5.0, 10.0), 1, 4.0) == (1.0, 1)


@pytest.mark.parametrize("values", [(), (1.0,), (1.0, 2.0), (None, None, None), (0.0, 0.0, 0.0)])
def test_without_a_window_nothing_is_known(values: tuple[float | None, ...]) -> None:
    assert squared_growths(series(*values), 2, 1.0) is None


def test_a_window_has_a_bin_that_follows() -> None:
    with pytest.raises(ValueError, match=r"bins is 0; allowed: a whole number from 1"):
        squared_growths(series(1.0, 2.0), 0, 1.0)


def test_a_random_walk_grows_by_the_root_of_the_time() -> None:
    steps = np.random.default_rng(3).normal(0.0, 0.01, 20_000)
    walk = series(*np.exp(np.cumsum(steps)).tolist())
    short, long = squared_growths(walk, 4, 9.0), squared_growths(walk, 64, 9.0)
    assert short is not None
    assert long is not None
    # The highest of a walk of n steps has a mean square of n variances, less a little as it is looked at in steps.
    assert 0.6 * 4e-4 < short[0] < 0.8 * 4e-4
    assert 0.9 * 64e-4 < long[0] < 1.1 * 64e-4
