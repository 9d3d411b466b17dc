"""Exponential smoothing with a damped trend; statsmodels estimates it, a recursion of two lines keeps it up to date."""

from __future__ import annotations

import warnings

import numpy as np
from statsmodels.tools.sm_exceptions import ConvergenceWarning, ModelWarning
from statsmodels.tsa.holtwinters import ExponentialSmoothing as HoltWinters

from forecasters.base import PathForecaster
from forecasters.history import Floats, NoHistory, as_array, filled
from forecasters.types import Series

DEFAULTS = {"level": 0.3, "trend": 0.05, "damping": 0.9}
"""Used until a fit: a level with a memory of about three bins, a cautious trend that fades within ten."""
LEAST_BINS = 30
"""Fewer bins than this tell three parameters nothing."""
MOST_BINS = 2880
"""Two days of minutes: more would slow the fit down and say little about the next minutes."""


class Smoothing(PathForecaster):
    """Holt's linear method with a damped trend (Gardner & McKenzie, Management Science 1985)."""

    name = "smoothing"

    def __init__(self) -> None:
        super().__init__()
        self._smoothing = dict(DEFAULTS)

    def _learn(self, series: Series) -> None:
        try:
            values = filled(as_array(series))[-MOST_BINS:]
        except NoHistory:
            return
        if len(values) < LEAST_BINS or float(np.ptp(values)) == 0.0:
            return
        with warnings.catch_warnings():
            # A fit that did not converge is still a point of the parameter space; selection judges it by its losses.
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", ModelWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
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
        levels, trends = self._states(values)
        reach = np.cumsum(self._smoothing["damping"] ** np.arange(1, steps + 1))
        return np.asarray(np.maximum(levels[first:, None] + trends[first:, None] * reach[None, :], 0.0))

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
