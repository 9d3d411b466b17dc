"""Moving averages: an ensemble's plain members."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.signal import lfilter

from forecasters.base import PathForecaster
from forecasters.history import Floats

WARM_UP = 8
"""Memories before the first bin asked for from which the average is begun: what came before has a weight of e^-8."""


class MovingAverage(PathForecaster):
    """Every step is the exponentially weighted mean of what was, with a memory of `memory_bins` (Brown, 1959)."""

    name = "moving-average"
    memory_bins: ClassVar[float] = 8.0

    def __init__(self, memory_bins: float | None = None) -> None:
        super().__init__()
        self._memory = memory_bins or self.memory_bins

    @property
    def label(self) -> str:
        """See `PathForecaster`."""
        return f"{self.name}-{self._memory:g}"

    def ahead(self, values: Floats, first: int, steps: int) -> Floats:
        """See `PathForecaster`."""
        begin = max(first - round(WARM_UP * self._memory), 0)
        keep = float(np.exp(-1.0 / self._memory))
        mean = float(values[begin : begin + max(round(self._memory), 1)].mean()) if begin else float(values[0])
        average = lfilter([1.0 - keep], [1.0, -keep], values[begin:], zi=[keep * mean])[0]
        return np.repeat(average[first - begin :, None], steps, axis=1)
