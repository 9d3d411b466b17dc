"""What comes is what came at this time yesterday, at today's level."""

from __future__ import annotations

import numpy as np

from forecasters.base import Forecaster
from forecasters.errors import MAX_ORIGINS
from forecasters.history import Floats

SEASON_S = 86_400.0
"""A day: the strongest period of people's use."""
LEVEL_BINS = 10
"""Today's level against yesterday's is taken over this many bins: long enough for a rate, short enough to be now."""
LEVEL_LIMITS = (0.2, 5.0)
"""Today is taken for at most five times yesterday either way; beyond that yesterday says nothing about today."""


class SeasonalNaive(Forecaster):
    """Yesterday's path times today's level over yesterday's; the last value while there is no day of history.

    Hyndman & Athanasopoulos, "Forecasting: Principles and Practice", 3rd ed., section 5.2, with a level ratio.
    """

    name = "seasonal-naive"

    def _paths(self, values: Floats, steps: int, origins: int) -> tuple[Floats, Floats]:
        season = round(SEASON_S / self._step_s)
        last = len(values) - 1
        past = np.full((origins, steps), np.nan)
        # Errors made without a day of history say nothing about a forecast with one.
        first = season + LEVEL_BINS - 1 if last >= season + LEVEL_BINS - 1 else 0
        for origin in range(max(first, origins - MAX_ORIGINS), origins):
            past[origin] = self._path(values, origin, season, steps)
        return self._path(values, last, season, steps), past

    def _path(self, values: Floats, origin: int, season: int, steps: int) -> Floats:
        """The path from bin `origin` on, knowing nothing after it."""
        if origin - season - LEVEL_BINS + 1 < 0 or steps > season:
            return np.full(steps, values[origin])
        today = values[origin - LEVEL_BINS + 1 : origin + 1].mean()
        yesterday = values[origin - season - LEVEL_BINS + 1 : origin - season + 1].mean()
        if yesterday <= 0:
            return np.full(steps, values[origin])
        ratio = min(max(today / yesterday, LEVEL_LIMITS[0]), LEVEL_LIMITS[1])
        return np.asarray(values[origin - season + 1 : origin - season + 1 + steps] * ratio)
