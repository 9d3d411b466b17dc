"""Exponential smoothing with a damped trend; statsmodels estimates it, a recursion of two lines keeps it up to date."""

from __future__ import annotations

import numpy as np
from statsmodels.tsa.holtwinters import ExponentialSmoothing as HoltWinters

from forecasters.base import PathForecaster
from forecasters.fitting import fit_values, quietly
from forecasters.history import Floats
from forecasters.types import Series

DEFAULTS = {"level": 0.3, "trend": 0.05, "damping": 0.9}
"""Used until a fit: a level with a memory of about three bins, a cautious trend that fades within ten."""
MOST_BINS = 720
"""Half a day of minutes: more slows the fit down fourfold and says little about the next minutes."""
WARM_UP = 360
"""The recursion begins this many bins before the first forecast asked for; what was before has faded by then."""


class Smoothing(PathForecaster):
    """Holt's linear method with a damped trend (Gardner & McKenzie, Management Science 1985)."""

    name = "smoothing"

    def __init__(self) -> None:
        super().__init__()
        self._smoothing = dict(DEFAULTS)

    def _learn(self, series: Series) -> None:
        values = fit_values(series, MOST_BINS)
        if values is None:
            return
        with quietly():
            fitted = HoltWinters(values, trend="add", damped_trend=True, initialization_method="estimated").fit()
        found = {
            "level": float(fitted.params["smoothing_level"]),
            "trend": float(fitted.params["smoothing_trend"]),
            "damping": float(fitted.params["damping_trend"]),
        }
        if all(np.isfinite(value) for value in found.values()):
            self._smoothing = found

    def ahead(self, values: Floats, first: int, steps: int) -> Floats:
        """See `PathForecaster`."""
        begin = max(first - WARM_UP, 0)
        levels, trends = self._states(values[begin:])
        levels, trends = levels[first - begin :], trends[first - begin :]
        reach = np.cumsum(self._smoothing["damping"] ** np.arange(1, steps + 1))
        return np.asarray(np.maximum(levels[:, None] + trends[:, None] * reach[None, :], 0.0))

    def _states(self, values: Floats) -> tuple[Floats, Floats]:
        """Level and trend after each bin."""
        alpha, beta, phi = (self._smoothing[name] for name in ("level", "trend", "damping"))
        level, trend = float(values[0]), 0.0
        levels, trends = np.empty(len(values)), np.empty(len(values))
        for place, value in enumerate(values.tolist()):
            before = level + phi * trend
            level = before + alpha * (value - before)
            # Gardner & McKenzie's error-correction form; statsmodels' `smoothing_trend` is beta of the trend equation.
            trend = beta * (level - (before - phi * trend)) + (1.0 - beta) * phi * trend
            levels[place], trends[place] = level, trend
        return levels, trends

    def _parameters(self) -> dict[str, float]:
        return dict(self._smoothing)

    def _restore(self, parameters: dict[str, float]) -> None:
        self._smoothing = {name: float(parameters[name]) for name in DEFAULTS}
