"""What comes is what came at this time yesterday, or a week ago, at today's level."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from forecasters.base import PathForecaster
from forecasters.history import Floats

Places: TypeAlias = NDArray[np.int64]

DAY_S = 86_400.0
"""The strongest period of people's use."""
WEEK_S = 7 * DAY_S
"""The next strongest: Sundays are not Mondays."""
SHIFT_S = 3_600.0
"""Clocks are put forward or back by an hour twice a year; people's use goes with them."""
LEVEL_BINS = 10
"""Today's level against yesterday's is taken over this many bins: long enough for a rate, short enough to be now."""
MATCH_BINS = 60
"""Over this many bins the shifted seasons are compared: an hour after a change of clocks, the right one is known."""
LOOK_BINS = 30
"""Seasons are compared as forecasts of half an hour: over a shorter look the level alone would hide the wrong hour."""
SHIFT_ADVANTAGE = 0.6
"""A shifted season must miss by less than this share of the plain one's: two days a year are not like the others."""
LEVEL_LIMITS = (0.2, 5.0)
"""Today is taken for at most five times yesterday either way; beyond that yesterday says nothing about today."""


class SeasonalNaive(PathForecaster):
    """Yesterday's path times today's level over yesterday's; the last value while there is no day of history.

    Hyndman & Athanasopoulos, "Forecasting: Principles and Practice", 3rd ed., section 5.2, with a level ratio. On the
    day after the clocks were changed, the path an hour earlier or later is taken where it has fitted the last hour
    much better.
    """

    name = "seasonal-naive"
    season_s: ClassVar[float] = DAY_S

    def ahead(self, values: Floats, first: int, steps: int) -> Floats:
        """See `PathForecaster`."""
        season, shift = round(self.season_s / self._step_s), round(SHIFT_S / self._step_s)
        paths = np.repeat(values[first:, None], steps, axis=1)
        origins = np.arange(max(first, season + shift + LEVEL_BINS + LOOK_BINS + MATCH_BINS), len(values))
        # In the first hour of the second season there is nothing to compare shifted seasons by.
        early = np.arange(max(first, season + LEVEL_BINS - 1), min(len(values), origins[0] if len(origins) else 10**9))
        self._follow(paths, values, first, early, season)
        if not len(origins):
            return paths
        best = _misses(values, origins, season)
        lags = np.full(len(origins), season)
        for lag in (season - shift, season + shift):
            misses = _misses(values, origins, lag) / SHIFT_ADVANTAGE
            lags = np.where(misses < best, lag, lags)
            best = np.minimum(misses, best)
        for lag in np.unique(lags):
            self._follow(paths, values, first, origins[lags == lag], int(lag))
        return paths

    def _follow(self, paths: Floats, values: Floats, first: int, origins: Places, lag: int) -> None:
        """Write the path of `lag` bins ago into the rows of `origins`, where there was anything then."""
        steps = paths.shape[1]
        if not len(origins) or steps > lag:
            return
        ratios = _ratio(values, origins, lag)
        rows = origins[ratios > 0]
        coming = rows[:, None] - lag + 1 + np.arange(steps)[None, :]
        paths[rows - first] = values[coming] * ratios[ratios > 0, None]

    def _oldest_like_now(self, last: int) -> int:
        """Errors made without a season of history say nothing about a forecast with one."""
        oldest = round(self.season_s / self._step_s) + LEVEL_BINS - 1
        return oldest if last >= oldest else 0


class SeasonalNaiveWeek(SeasonalNaive):
    """The same of a week ago; the last value while there is no week of history."""

    name = "seasonal-naive-week"
    season_s = WEEK_S


def _ratio(values: Floats, origins: Places, lag: int) -> Floats:
    """Today's level over the season's, at each origin; nought where there was none."""
    begin = int(origins[0]) - lag - LEVEL_BINS + 1
    sums = np.append(0.0, np.cumsum(values[begin:]))
    ends = origins + 1 - begin
    today = sums[ends] - sums[ends - LEVEL_BINS]
    then = sums[ends - lag] - sums[ends - lag - LEVEL_BINS]
    # What is left of a difference of sums where all was nought is rounding.
    there = then > _ROUNDING * sums[-1]
    ratios = np.divide(today, then, out=np.zeros(len(origins)), where=there)
    return np.asarray(np.where(there, np.clip(ratios, *LEVEL_LIMITS), 0.0))


def _misses(values: Floats, origins: Places, lag: int) -> Floats:
    """How far the season's last hour was from today's, at the level of `LOOK_BINS` before each of its bins."""
    places = np.arange(int(origins[0]) - MATCH_BINS + 1, int(origins[-1]) + 1)
    ratios = _ratio(values, places - LOOK_BINS, lag)
    sums = np.append(0.0, np.cumsum(np.abs(values[places] - ratios * values[places - lag])))
    return np.asarray((sums[MATCH_BINS:] - sums[:-MATCH_BINS])[origins - origins[0]] / MATCH_BINS)


_ROUNDING = 1e-12
"""A share of all that came below which a sum counts as nought."""
