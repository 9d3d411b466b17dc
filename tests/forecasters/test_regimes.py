"""Ramps and cycles are seen where they are, and nowhere else."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasters.regimes import CYCLE, LEAST_BINS, MOST_BINS, RAMP, find_regimes
from forecasters.types import Regime, Series

HORIZON_S, LAG_S = 75.0, 30.0


def series(values: list[float | None]) -> Series:
    return Series(0.0, 60.0, tuple(values))


def wave(minutes: int, period_s: float = 600.0, seed: int = 0) -> list[float | None]:
    """Poisson counts a minute of a rate that goes from 2 to 14 requests/s and back."""
    rng = np.random.default_rng(seed)
    return [float(rng.poisson(60.0 * rate(60.0 * (i + 0.5), period_s))) / 60.0 for i in range(minutes)]


def rate(at_s: float, period_s: float) -> float:
    return 8.0 - 6.0 * math.cos(2.0 * math.pi * at_s / period_s)


def found(values: list[float | None], kind: str, horizon_s: float = HORIZON_S) -> Regime | None:
    return next((r for r in find_regimes(series(values), horizon_s, LAG_S) if r.kind == kind), None)


@pytest.mark.parametrize("period_s", [420.0, 600.0, 900.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_wave_is_known_when_it_has_come_round(period_s: float, seed: int) -> None:
    minutes = math.ceil(1.2 * period_s / 60.0)
    cycle = found(wave(minutes, period_s, seed), CYCLE)
    assert cycle is not None
    assert cycle.probability > 0.9
    assert cycle.period_s == pytest.approx(period_s, rel=0.15)
    coming = max(rate(60.0 * minutes + ahead, period_s) for ahead in np.linspace(0.0, HORIZON_S, 20))
    assert cycle.peak_at(0.5) == pytest.approx(coming, abs=1.5)
    assert cycle.peak_at(0.1) < coming < cycle.peak_at(0.99) + 0.5


def test_the_top_of_a_wave_is_foreseen_at_its_foot() -> None:
    cycle = found(wave(20), CYCLE, horizon_s=300.0)
    assert cycle is not None
    assert cycle.peak_at(0.5) == pytest.approx(14.0, abs=1.0)
    soon = found(wave(20), CYCLE, horizon_s=1.0)
    assert soon is not None
    assert soon.peak_at(0.5) < 4.0


def test_the_first_rise_is_a_ramp_and_no_cycle() -> None:
    rising = wave(6, period_s=900.0)
    ramp, cycle = found(rising, RAMP), found(rising, CYCLE)
    assert cycle is None or cycle.probability < 0.1
    assert ramp is not None
    assert ramp.probability > 0.5
    assert ramp.period_s is None
    assert ramp.peak_at(0.5) > rising[-1] + 0.5  # type: ignore[operator]


@pytest.mark.parametrize("seed", range(8))
def test_a_load_that_wanders_goes_nowhere(seed: int) -> None:
    rng = np.random.default_rng(seed)
    level = 40.0 * np.exp(np.cumsum(rng.normal(0.0, 0.05, MOST_BINS)))
    noisy = [float(x) for x in rng.poisson(60.0 * level) / 60.0]
    cycle = found(noisy, CYCLE)
    assert cycle is None or cycle.probability < 0.2


def test_a_steady_load_does_nothing() -> None:
    rng = np.random.default_rng(3)
    flat = [float(x) / 60.0 for x in rng.poisson(600.0, MOST_BINS)]
    assert sum(r.probability for r in find_regimes(series(flat), HORIZON_S, LAG_S)) < 0.1


def test_only_what_follows_the_last_gap_counts() -> None:
    whole = wave(14)
    assert found([*whole, None, *wave(3)], CYCLE) is None
    after = find_regimes(series([100.0, 1.0, None, *whole]), HORIZON_S, LAG_S)
    alone = find_regimes(series(whole), HORIZON_S, LAG_S)
    assert [r.probability for r in after] == pytest.approx([r.probability for r in alone])


@pytest.mark.parametrize("values", [[], [1.0] * (LEAST_BINS - 1), [0.0] * 30, [None] * 10])
def test_too_little_tells_nothing(values: list[float | None]) -> None:
    assert find_regimes(series(values), HORIZON_S, LAG_S) == ()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.none() | st.floats(0.0, 1e5), min_size=1, max_size=MOST_BINS + 20),
    st.floats(1.0, 1800.0),
)
def test_whatever_came_the_answer_is_a_forecast(values: list[float | None], horizon_s: float) -> None:
    regimes = find_regimes(series(values), horizon_s, LAG_S)
    assert sum(r.probability for r in regimes) <= 1.0 + 1e-9
    for regime in regimes:
        assert all(0.0 <= low <= high for low, high in zip(regime.peak, regime.peak[1:], strict=False))
        assert all(math.isfinite(v) for v in regime.peak)


@pytest.mark.parametrize("times", [1, 4, 30])
def test_a_wave_of_a_larger_crowd_is_seen_as_well(times: int) -> None:
    rng = np.random.default_rng(5)
    counts = [float(rng.poisson(60.0 * times * rate(60.0 * (i + 0.5), 600.0))) / 60.0 for i in range(16)]
    cycle = found(counts, CYCLE)
    assert cycle is not None
    assert cycle.probability > 0.9
