"""The theta method: simple exponential smoothing and half of the long trend."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter
from statsmodels.tsa.forecasting.theta import ThetaModel

from forecasters.base import PathForecaster
from forecasters.fitting import fit_values, quietly
from forecasters.history import Floats
from forecasters.types import Series

DEFAULTS = {"alpha": 0.3, "slope": 0.0}
"""Used until a fit: a memory of about three bins, no trend. `slope` is a share of the mean level a bin."""
FIT_BINS = 360
"""The trend is that of the last six hours: a day's would be flat."""


class Theta(PathForecaster):
    """Assimakopoulos & Nikolopoulos, International Journal of Forecasting 2000; in the form of Hyndman & Billah, same
    journal, 2003: smoothing with a drift of half the trend's slope."""

    name = "theta"

    def __init__(self) -> None:
        super().__init__()
        self._theta = dict(DEFAULTS)

    def _learn(self, series: Series) -> None:
        values = fit_values(series, FIT_BINS)
        if values is None:
            return
        level = float(values.mean())
        with quietly():
            found = ThetaModel(values / level, period=1, deseasonalize=False).fit().params
        alpha, slope = float(found["alpha"]), float(found["b0"])
        if 0.0 < alpha <= 1.0 and np.isfinite(slope):
            self._theta = {"alpha": alpha, "slope": slope}

    def ahead(self, values: Floats, first: int, steps: int) -> Floats:
        """See `PathForecaster`."""
        alpha = self._theta["alpha"]
        level = lfilter([alpha], [1.0, alpha - 1.0], values, zi=[(1.0 - alpha) * values[0]])[0][first:]
        reach = np.arange(steps) + 1.0 / alpha
        # The slope was learned as a share of the level, and lasts as long as a fit: it is taken of today's level.
        drift = 0.5 * self._theta["slope"] * np.minimum(reach, 2.0 * steps)
        return np.asarray(np.maximum(level[:, None] * (1.0 + drift[None, :]), 0.0))

    def _parameters(self) -> dict[str, float]:
        return dict(self._theta)

    def _restore(self, parameters: dict[str, float]) -> None:
        self._theta = {name: float(parameters[name]) for name in DEFAULTS}
