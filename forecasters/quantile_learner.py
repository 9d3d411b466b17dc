"""Quantiles as linear functions of features, learned one observation at a time.

A Newton step on the pinball loss for each observation: the gradient is known (Koenker & Bassett, Econometrica 1978),
and its curvature is the features' recent second moment times the errors' density at the quantile. Forgetting and a
ridge are those of recursive least squares. A spike moves the coefficients no further than any other miss, which is what
makes this better here than least squares.
"""

from __future__ import annotations

import numpy as np

from forecasters.history import Floats
from forecasters.prior import density_at

SOFTNESS = 0.15
"""The step function of the gradient is softened over this many scales; a hard one would never settle."""
RIDGE = 40.0
"""The prior coefficients count as much as this many bins."""


class QuantileLearner:
    """Several regressions of one start, side by side: `memories_bins` are the half-lives of what each has seen,
    `speeds` its Newton steps' lengths. `coefficients` are (regressions, levels, features)."""

    def __init__(
        self, levels: tuple[float, ...], start: Floats, memories_bins: tuple[float, ...], speeds: tuple[float, ...]
    ) -> None:
        count, features = len(memories_bins), start.shape[1]
        self._levels = np.array(levels)
        self._gain = np.array(speeds)[:, None] / density_at(levels)[None, :]
        self._keep = 0.5 ** (1.0 / np.array(memories_bins))[:, None, None]
        self._ridge = RIDGE * np.eye(features)
        self._moments = np.zeros((count, features, features))
        self.coefficients = np.tile(start, (count, 1, 1))

    def learn(self, features: Floats, actual: float) -> None:
        """One observation, in scales about its level."""
        self._moments *= self._keep
        self._moments += features[:, None] * features[None, :]
        misses = (actual - self.coefficients @ features) / SOFTNESS
        # The softened step function is a logistic one, written so that it cannot overflow.
        gradient = self._levels - 0.5 * (1.0 - np.tanh(0.5 * misses))
        right = np.broadcast_to(features[:, None], (len(self._moments), len(features), 1))
        direction = np.linalg.solve(self._moments + self._ridge, right)[:, :, 0]
        self.coefficients += (self._gain * gradient)[:, :, None] * direction[:, None, :]

    def quantiles(self, features: Floats) -> Floats:
        """(regressions, levels), never decreasing: sorting never loses (Chernozhukov et al., Econometrica 2010)."""
        found = self.coefficients @ features
        found.sort(axis=1)
        return np.asarray(found)
