"""Where a series stands beneath the noise of its bins."""

from __future__ import annotations

import numpy as np
import pytest

from forecasters.level import Level, find_levels
from forecasters.types import Series

COUNTING = 1.0 / (100.0 * 60.0)
"""Variance of a minute's count at 100 a second."""


def series(values: object) -> Series:
    return Series(0.0, 60.0, tuple(np.asarray(values, dtype=float).tolist()))


def level(values: object, known: float = COUNTING) -> Level:
    (found,) = find_levels([series(values)], [known])
    return found


def wandering(bins: int, step: float, noise: float, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A level that wanders by `step` a bin, and what is seen of it under `noise`."""
    chance = np.random.default_rng(seed)
    at = 100.0 * np.exp(np.cumsum(chance.normal(0.0, step, bins)))
    return at, at * (1.0 + chance.normal(0.0, noise, bins))


@pytest.mark.parametrize("step", [0.01, 0.04, 0.1])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_level_that_only_wanders_is_where_it_was_seen_last(step: float, seed: int) -> None:
    _, seen = wandering(60, step, 0.005, seed)
    found = level(seen)
    assert found.value == pytest.approx(seen[-1], rel=0.01)
    assert found.noise < 0.03


@pytest.mark.parametrize("noise", [0.1, 0.15, 0.3])
def test_what_differs_from_bin_to_bin_is_noise(noise: float) -> None:
    missed, last, noises = [], [], []
    for seed in range(20):
        at, seen = wandering(60, 0.01, noise, seed)
        found = level(seen)
        missed.append(abs(found.value / at[-1] - 1.0))
        last.append(abs(seen[-1] / at[-1] - 1.0))
        noises.append(found.noise)
    assert np.mean(missed) < 0.5 * np.mean(last)
    assert np.mean(noises) == pytest.approx(noise, rel=0.3)


def test_counting_is_no_noise() -> None:
    counts = np.random.default_rng(4).poisson(2.0 * 60.0, 60) / 60.0
    assert level(counts, known=1.0 / 120.0).noise < 0.03
    assert level(counts, known=0.0).noise > 0.05, "it is, for whom it is not known"


def test_a_step_is_followed_through_the_noise() -> None:
    chance = np.random.default_rng(5)
    before, after = chance.normal(100.0, 10.0, 50), chance.normal(200.0, 20.0, 2)
    assert level([*before, *after]).value == pytest.approx(200.0, rel=0.15), "what cannot be chance, within two minutes"
    small = chance.normal(130.0, 13.0, 6)
    assert 100.0 < level([*before, *small[:2]]).value < level([*before, *small]).value
    assert level([*before, *small]).value == pytest.approx(130.0, rel=0.08), "what can be, after a few"


def test_one_spike_that_can_be_chance_is_not_the_level() -> None:
    calm = np.random.default_rng(6).normal(100.0, 15.0, 50)
    assert level([*calm, 140.0]).value < 115.0
    assert level([*calm, 250.0, *calm[:3]]).value == pytest.approx(100.0, rel=0.15)


def test_it_is_a_share_whatever_the_unit() -> None:
    _, seen = wandering(60, 0.02, 0.2)
    small, large = level(seen), level(seen * 1000.0)
    assert large.value == pytest.approx(1000.0 * small.value)
    assert large.noise == pytest.approx(small.noise)


def test_several_are_what_each_is_alone() -> None:
    calm, noisy = wandering(60, 0.04, 0.0)[1], wandering(60, 0.01, 0.2)[1]
    both = find_levels([series(calm), series(noisy)], [COUNTING, 0.01])
    alone = (level(calm), level(noisy, 0.01))
    assert [found.value for found in both] == pytest.approx([found.value for found in alone])
    assert [found.noise for found in both] == pytest.approx([found.noise for found in alone])


def test_a_gap_in_one_begins_all_anew() -> None:
    long = Series(0.0, 60.0, (500.0, 500.0, None, 100.0, 100.0))
    other = Series(0.0, 60.0, (7.0, 7.0, 7.0, 8.0, 9.0))
    first, second = find_levels([long, other], [0.0, 0.0])
    assert first.value == pytest.approx(100.0)
    assert second.value == pytest.approx(find_levels([Series(180.0, 60.0, (8.0, 9.0))], [0.0])[0].value)
    assert find_levels([Series(0.0, 60.0, (1.0, None))], [0.0]) == ()


def test_one_bin_is_the_level() -> None:
    assert level([42.0]).value == pytest.approx(42.0)


@pytest.mark.parametrize("values", [(), (0.0, 0.0, 0.0)])
def test_of_nothing_there_is_no_share(values: tuple[float, ...]) -> None:
    assert find_levels([Series(0.0, 60.0, values)], [0.0]) == ()


def test_series_must_be_of_one_length_and_each_have_a_variance() -> None:
    with pytest.raises(ValueError, match="equally many bins"):
        find_levels([series([1.0]), series([1.0, 2.0])], [0.0, 0.0])
    with pytest.raises(ValueError, match="a variance for each"):
        find_levels([series([1.0])], [])
