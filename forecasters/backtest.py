"""How good a forecaster is: expanding windows over a history, judged by the quantiles of the window's maximum."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from forecasters.base import Forecaster
from forecasters.errors import peaks
from forecasters.history import as_array, windows
from forecasters.types import DEFAULT_LEVELS, Series

SHIFT_BINS = 40
"""Copies of a series are shifted within so many bins: far enough apart to smooth the arrivals' noise as a larger
crowd would, near enough to keep the day's shape."""
GOLDEN = (math.sqrt(5) - 1) / 2
"""Multiples of the golden section fall nowhere near one another."""


@dataclass(frozen=True, slots=True)
class Score:
    """Means over `origins`. `pinball` is over all levels, in the series' unit; `coverage` is the share of maxima at or
    below the forecast's 0.9 quantile; `bias` is the mean of median minus maximum. None where no origin could be judged.
    `coverages` are those of every level of `DEFAULT_LEVELS`; `level` is the mean maximum, in the series' unit.
    """

    origins: int
    pinball: float | None
    coverage: float | None
    bias: float | None
    coverages: tuple[float, ...] = ()
    level: float | None = None


def pinball(level: float, forecast: float, actual: float) -> float:
    """Pinball (quantile) loss: Koenker & Bassett, Econometrica 1978."""
    return max(level * (actual - forecast), (level - 1.0) * (actual - forecast))


def score(
    make: Callable[[], Forecaster],
    series: Series,
    horizon_s: float,
    origins: int = 24,
    refits: int = 1,
    most_bins: int | None = None,
) -> Score:
    """Look and predict from `origins` evenly spaced bins of the second half, knowing all that was before each.

    The forecaster is fitted to what is known at the first of them and, where `refits` is more than one, again, from
    the beginning, at as many evenly spaced ones: as workers would. None of the fits sees what comes after it. With
    `refits` nought it is never fitted. It looks back over no more than `most_bins`.
    """
    steps = math.ceil(horizon_s / series.step_s - 1e-9)
    first, last = len(series.values) // 2, len(series.values) - steps - 1
    if last < first or all(value is None for value in series.values[:first]):
        return Score(0, None, None, None)
    actuals = peaks(windows(as_array(series), steps))
    places = sorted({int(o) for o in np.linspace(first, last, origins)})
    fits = {places[index * len(places) // refits] for index in range(refits)}
    forecaster, rows = make(), []
    for origin in places:
        seen = _until(series, origin + 1, most_bins)
        if origin in fits:
            forecaster = make()
            forecaster.fit(seen)
        if math.isnan(actual := float(actuals[origin])):
            continue
        forecaster.update(seen)
        rows.append((actual, *forecaster.predict(seen.end_s, horizon_s).peak))
    return _judged(np.array(rows, dtype=float)) if rows else Score(0, None, None, None)


def superposed(series: Series, copies: int) -> Series:
    """`copies` times the series: copies shifted by less than `SHIFT_BINS`, wrapped around, and added. Gaps stay.

    Multiplying in place would multiply the noise of few requests; a larger crowd is smoother.

    Raises:
        ValueError: if `copies` is not positive.
    """
    if copies < 1:
        raise ValueError(f"copies is {copies!r}; allowed: at least 1")
    values = as_array(series)
    known = np.nan_to_num(values)
    total = sum(np.roll(known, int(copy * GOLDEN % 1.0 * SHIFT_BINS)) for copy in range(copies))
    made = np.where(np.isnan(values), np.nan, total)
    return Series(series.start_s, series.step_s, tuple(None if math.isnan(v) else v for v in made.tolist()))


def _judged(rows: np.ndarray) -> Score:
    actuals, peak = rows[:, 0], rows[:, 1:]
    misses = actuals[:, None] - peak
    levels = np.array(DEFAULT_LEVELS)
    losses = np.maximum(levels * misses, (levels - 1.0) * misses)
    held = tuple(float(share) for share in (misses <= 0).mean(axis=0))
    bias = -float(misses[:, _MEDIAN].mean())
    return Score(len(rows), float(losses.mean()), held[_NINETY], bias, held, float(actuals.mean()))


_NINETY, _MEDIAN = DEFAULT_LEVELS.index(0.9), DEFAULT_LEVELS.index(0.5)


def _until(series: Series, end: int, most_bins: int | None) -> Series:
    begin = max(end - most_bins, 0) if most_bins is not None else 0
    return Series(series.start_s + begin * series.step_s, series.step_s, series.values[begin:end])
