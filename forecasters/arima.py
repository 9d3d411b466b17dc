"""ARIMA(2,1,2): statsmodels estimates it, two linear filters keep it up to date."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter
from statsmodels.tsa.arima.model import ARIMA

from forecasters.base import PathForecaster
from forecasters.fitting import fit_values, quietly
from forecasters.history import Floats
from forecasters.types import Series

DEFAULTS = {"ar1": 0.0, "ar2": 0.0, "ma1": -0.6, "ma2": 0.0}
"""Used until a fit: ARIMA(0,1,1), which is exponential smoothing with a memory of two or three bins."""
FIT_BINS = 480
"""Eight hours: enough for four parameters, and a fit of a third of a second."""
LARGEST_ROOT = 0.99
"""Roots on the unit circle would let forecasts grow, or old surprises count, without end; fits of noise about a level
end there. Drawn in, a surprise is forgotten in an hour or two."""


class Arima(PathForecaster):
    """Box & Jenkins, "Time Series Analysis", 1970: two lags and two past surprises of the differences."""

    name = "arima"

    def __init__(self) -> None:
        super().__init__()
        self._arima = dict(DEFAULTS)

    def _learn(self, series: Series) -> None:
        values = fit_values(series, FIT_BINS)
        if values is None:
            return
        model = ARIMA(values / float(values.mean()), order=(2, 1, 2))
        with quietly():
            try:
                found = model.fit(method="innovations_mle").params[:4]
            except (ValueError, np.linalg.LinAlgError):
                # statsmodels starts from estimates that can lie outside of what it allows; the defaults stay.
                return
        if np.isfinite(found).all():
            ar1, ar2 = _inside(float(found[0]), float(found[1]))
            ma1, ma2 = _inside(-float(found[2]), -float(found[3]))
            self._arima = {"ar1": ar1, "ar2": ar2, "ma1": -ma1, "ma2": -ma2}

    def ahead(self, values: Floats, first: int, steps: int) -> Floats:
        """See `PathForecaster`."""
        ar1, ar2, ma1, ma2 = (self._arima[name] for name in DEFAULTS)
        changes = np.diff(values, prepend=values[0])
        surprises = lfilter([1.0, -ar1, -ar2], [1.0, ma1, ma2], changes)
        before = np.maximum(np.arange(first, len(values)) - 1, 0)
        last, older = changes[first:], changes[before]
        new, old = surprises[first:], surprises[before]
        path, level = np.empty((len(values) - first, steps)), values[first:].copy()
        for step in range(steps):
            last, older = ar1 * last + ar2 * older + ma1 * new + ma2 * old, last
            new, old = np.zeros_like(new), new
            level = level + last
            path[:, step] = level
        return np.maximum(path, 0.0)

    def _parameters(self) -> dict[str, float]:
        return dict(self._arima)

    def _restore(self, parameters: dict[str, float]) -> None:
        self._arima = {name: float(parameters[name]) for name in DEFAULTS}


def _inside(first: float, second: float) -> tuple[float, float]:
    """The coefficients of x^2 - first*x - second with its roots drawn in to `LARGEST_ROOT`, where they are beyond."""
    largest = float(np.abs(np.roots([1.0, -first, -second])).max())
    draw = min(LARGEST_ROOT / largest, 1.0) if largest > 0 else 1.0
    return first * draw, second * draw**2
