"""What comes goes on as the last half hour went."""

from __future__ import annotations

import numpy as np

from forecasters.base import PathForecaster
from forecasters.history import Floats

DRIFT_BINS = 30
"""The line runs from this many bins ago to now: a ramp of a cold start's length shows in it, a minute's noise hardly.
Over a whole history, as the textbook has it, a day's line would be flat."""


class Drift(PathForecaster):
    """The line through the first and the last bin of the last half hour, from the last bin on; never below nought.

    Hyndman & Athanasopoulos, "Forecasting: Principles and Practice", 3rd ed., section 5.2, over a window.
    """

    name = "drift"

    def ahead(self, values: Floats, first: int, steps: int) -> Floats:
        """See `PathForecaster`."""
        ends = np.arange(first, len(values))
        starts = np.maximum(ends - DRIFT_BINS, 0)
        slopes = (values[ends] - values[starts]) / np.maximum(ends - starts, 1)
        path = values[ends, None] + slopes[:, None] * np.arange(1, steps + 1)[None, :]
        return np.asarray(np.maximum(path, 0.0))
