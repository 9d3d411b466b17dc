"""Holt-Winters with a daily season: statsmodels finds the day's profile, a filter of one line keeps the level."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter
from statsmodels.tsa.holtwinters import ExponentialSmoothing

from forecasters.base import PathForecaster
from forecasters.fitting import fit_values, quietly
from forecasters.history import Floats
from forecasters.types import Series

DAY_S = 86_400.0
"""The season."""
SLOTS = 24
"""Hours of the profile: a season of 1,440 minutes has more parameters than two days have information."""
LEVEL = 0.3
"""Smoothing of the level, a bin, once the season is taken out: a memory of about three bins."""
LEAST_INDEX = 0.05
"""An hour's index is at least this share of the mean: dividing by an empty hour would make a burst of noise."""


class HoltWinters(PathForecaster):
    """Multiplicative Holt-Winters (Winters, Management Science 1960) of hours, interpolated to bins.

    Fitted to two days at least; before that all hours are alike and it is exponential smoothing.
    """

    name = "holt-winters"

    def __init__(self) -> None:
        super().__init__()
        self._indices: Floats = np.ones(SLOTS)

    def _learn(self, series: Series) -> None:
        a_slot = max(round(DAY_S / SLOTS / series.step_s), 1)
        values = fit_values(series, 14 * SLOTS * a_slot, 2 * SLOTS * a_slot)
        if values is None:
            return
        count = len(values) // a_slot
        hours = values[-count * a_slot :].reshape(count, a_slot).mean(axis=1) / float(values.mean())
        with quietly():
            fitted = ExponentialSmoothing(
                np.maximum(hours, LEAST_INDEX),
                seasonal="mul",
                seasonal_periods=SLOTS,
                initialization_method="heuristic",
            ).fit()
        latest = np.asarray(fitted.season)[-SLOTS:]
        if not (np.isfinite(latest).all() and (latest > 0).all()):
            return
        # The last hour ends with the series; hours are counted from midnight UTC, to the bin's middle.
        ends_s = series.end_s - np.arange(SLOTS)[::-1] * DAY_S / SLOTS
        middles_s = (ends_s - 0.5 * DAY_S / SLOTS) % DAY_S
        at_s = (np.arange(SLOTS) + 0.5) * DAY_S / SLOTS
        order = np.argsort(middles_s)
        indices = np.interp(at_s, middles_s[order], latest[order], period=DAY_S)
        self._indices = np.maximum(indices / indices.mean(), LEAST_INDEX)

    def ahead(self, values: Floats, first: int, steps: int) -> Floats:
        """See `PathForecaster`."""
        at_s = self._start_s + (np.arange(len(values) + steps) + 0.5) * self._step_s
        middles_s = (np.arange(SLOTS) + 0.5) * DAY_S / SLOTS
        season = np.interp(at_s % DAY_S, middles_s, self._indices, period=DAY_S)
        plain = values / season[: len(values)]
        level = lfilter([LEVEL], [1.0, LEVEL - 1.0], plain, zi=[(1.0 - LEVEL) * plain[0]])[0][first:]
        return np.asarray(level[:, None] * season[np.arange(first, len(values))[:, None] + 1 + np.arange(steps)])

    def _parameters(self) -> dict[str, float]:
        return {f"hour{hour:02d}": float(index) for hour, index in enumerate(self._indices)}

    def _restore(self, parameters: dict[str, float]) -> None:
        self._indices = np.array([float(parameters[f"hour{hour:02d}"]) for hour in range(SLOTS)])
