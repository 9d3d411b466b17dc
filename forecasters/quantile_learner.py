"""Quantiles as linear functions of features, learned one observation at a time.

A Newton step on the pinball loss for each observation: the gradient is known (Koenker & Bassett, Econometrica 1978), and
its curvature is the features' recent second moment times the errors' density at the quantile. Forgetting and a ridge
are those of recursive least squares. A spike moves the coefficients no further than any other miss, which is what
makes this better here than least squares.
"""

from __future__ import annotations

import numpy as np

from forecasters.history import Floats
from forecasters.prior import density_at

SOFTNESS = 0.15
"""The step function of the gradient is softened over this many scales; a hard one would never settle."""
RIDGE = 20.0
"""The prior coefficients count as much as this many bins."""


class QuantileLearner:
    """Coefficients (levels, features); `memory_bins` is the half-life of what was seen, `speed` the Newton step's."""

    def __init__(self, levels: tuple[float, ...], start: Floats, memory_bins: float, speed: float) -> None:
        self._levels = np.array(levels)
        self._gain = speed / density_at(levels)
        self._keep = 0.5 ** (1.0 / memory_bins)
        self._ridge = RIDGE * np.eye(start.shape[1])
        self._moments = np.zeros_like(self._ridge)
        self.coefficients = start.copy()

    def learn(self, features: Floats, actual: float) -> None:
        """One observation, in scales about its level."""
        self._moments *= self._keep
        self._moments += np.outer(features, features)
        misses = np.clip((actual - self.coefficients @ features) / SOFTNESS, -30.0, 30.0)
        gradient = self._levels - 1.0 / (1.0 + np.exp(misses))
        direction = np.linalg.solve(self._moments + self._ridge, features)
        self.coefficients += np.outer(self._gain * gradient, direction)

    def quantiles(self, features: Floats) -> Floats:
        """Never decreasing along the levels: sorted, which never loses (Chernozhukov et al., Econometrica 2010)."""
        return np.asarray(np.sort(self.coefficients @ features))
