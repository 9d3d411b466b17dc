"""How good a forecaster is: expanding windows over a history, judged by the quantiles of the window's maximum."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from forecasters.base import Forecaster
from forecasters.history import as_array
from forecasters.types import DEFAULT_LEVELS, Series


@dataclass(frozen=True, slots=True)
class Score:
    """Means over `origins`. `pinball` is over all levels, in the series' unit; `coverage` is the share of maxima at or
    below the forecast's 0.9 quantile; `bias` is the mean of median minus maximum. None where no origin could be judged.
    """

    origins: int
    pinball: float | None
    coverage: float | None
    bias: float | None


def pinball(level: float, forecast: float, actual: float) -> float:
    """Pinball (quantile) loss: Koenker & Bassett, Econometrica 1978."""
    return max(level * (actual - forecast), (level - 1.0) * (actual - forecast))


def score(make: Callable[[], Forecaster], series: Series, horizon_s: float, origins: int = 24) -> Score:
    """Fit on the first half, then look and predict from `origins` evenly spaced bins of the second half."""
    steps = math.ceil(horizon_s / series.step_s - 1e-9)
    first, last = len(series.values) // 2, len(series.values) - steps - 1
    values = as_array(series)
    if last < first or np.isnan(values[:first]).all():
        return Score(0, None, None, None)
    forecaster = make()
    forecaster.fit(_until(series, first))
    rows = []
    for origin in sorted({int(o) for o in np.linspace(first, last, origins)}):
        after = values[origin + 1 : origin + 1 + steps]
        if np.isnan(after).all():
            continue
        forecaster.update(_until(series, origin + 1))
        peak = forecaster.predict(series.start_s + (origin + 1) * series.step_s, horizon_s).peak
        actual = float(np.nanmax(after))
        losses = [pinball(q, p, actual) for q, p in zip(DEFAULT_LEVELS, peak, strict=True)]
        rows.append((float(np.mean(losses)), actual <= peak[_NINETY], peak[_MEDIAN] - actual))
    if not rows:
        return Score(0, None, None, None)
    means = np.mean(np.array(rows, dtype=float), axis=0)
    return Score(len(rows), float(means[0]), float(means[1]), float(means[2]))


_NINETY, _MEDIAN = DEFAULT_LEVELS.index(0.9), DEFAULT_LEVELS.index(0.5)


def _until(series: Series, end: int) -> Series:
    return Series(series.start_s, series.step_s, series.values[:end])
