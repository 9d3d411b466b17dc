"""Persistence: what comes is what is."""

from __future__ import annotations

import numpy as np

from forecasters.base import Forecaster
from forecasters.history import Floats


class LastValue(Forecaster):
    """Every step is the last bin's value; the quantiles are what that has been wrong by, over as many steps."""

    name = "last-value"

    def _paths(self, values: Floats, steps: int, origins: int) -> tuple[Floats, Floats]:
        past = np.repeat(values[:origins, None], steps, axis=1)
        return np.repeat(values[-1:], steps), past
