"""What comes is what came at this time yesterday, or a week ago, at today's level."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from forecasters.base import PathForecaster
from forecasters.history import Floats

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
        sums = np.append(0.0, np.cumsum(values))
        best = np.full(len(values) - first, np.inf)
        for lag, share in ((season, 1.0), (season - shift, SHIFT_ADVANTAGE), (season + shift, SHIFT_ADVANTAGE)):
            origins = np.arange(max(first, max(lag, season) + LEVEL_BINS - 1), len(values))
            if not len(origins) or steps > lag:
                continue
            ratios = _ratio(sums, origins, lag)
            # A gap in yesterday's level, or in the comparison, leaves the plain season in place.
            misses = _misses(values, origins, lag, ratios) / share
            better = (misses < best[origins - first]) & (ratios > 0)
            rows = origins[better]
            best[rows - first] = misses[better]
            coming = rows[:, None] - lag + 1 + np.arange(steps)[None, :]
            paths[rows - first] = values[coming] * ratios[better, None]
        return paths

    def _oldest_like_now(self, last: int) -> int:
        """Errors made without a season of history say nothing about a forecast with one."""
        oldest = round(self.season_s / self._step_s) + LEVEL_BINS - 1
        return oldest if last >= oldest else 0


class SeasonalNaiveWeek(SeasonalNaive):
    """The same of a week ago; the last value while there is no week of history."""

    name = "seasonal-naive-week"
    season_s = WEEK_S


def _ratio(sums: Floats, origins: np.ndarray, lag: int) -> Floats:
    """Today's level over the season's, at each origin; nought where there was none."""
    today = sums[origins + 1] - sums[origins + 1 - LEVEL_BINS]
    then = sums[origins + 1 - lag] - sums[origins + 1 - lag - LEVEL_BINS]
    ratios = np.divide(today, then, out=np.zeros(len(origins)), where=then > 0)
    return np.asarray(np.where(then > 0, np.clip(ratios, *LEVEL_LIMITS), 0.0))


def _misses(values: Floats, origins: np.ndarray, lag: int, ratios: Floats) -> Floats:
    """How far the season's last hour, at today's level, was from today's."""
    places = np.maximum(origins[:, None] - np.arange(MATCH_BINS)[None, :], lag)
    return np.asarray(np.abs(values[places] - ratios[:, None] * values[places - lag]).mean(axis=1))
