"""Persistence: what comes is what is."""

from __future__ import annotations

import numpy as np

from forecasters.base import PathForecaster
from forecasters.history import Floats


class LastValue(PathForecaster):
    """Every step is the last bin's value; the quantiles are what that has been wrong by, over as many steps."""

    name = "last-value"

    def ahead(self, values: Floats, first: int, steps: int) -> Floats:
        """See `PathForecaster`."""
        return np.repeat(values[first:, None], steps, axis=1)
