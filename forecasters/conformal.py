"""Keeps quantiles honest: what was exceeded too often is raised, what was hardly ever reached is lowered.

Quantile tracking, the proportional part of Angelopoulos, Candès & Tibshirani, "Conformal PID Control for Time Series
Prediction" (NeurIPS 2023), after Gibbs & Candès, "Adaptive Conformal Inference" (NeurIPS 2021). Its long-run coverage
holds for any series, however it shifts.
"""

from __future__ import annotations

import numpy as np

from forecasters.history import Floats

STEP = 0.01
"""How far one miss moves a quantile, in scales of the series' errors. The quantiles are nearly right before: larger
steps cost sharpness (0.03 costs 1 % of the loss) and gain no coverage."""
MOST = 3.0
"""The correction is at most so many scales either way: a day of misses must not haunt the next."""


class Calibration:
    """Additive corrections, one a level, in scales."""

    def __init__(self, levels: tuple[float, ...], step: float = STEP) -> None:
        self._levels = np.array(levels)
        self._step = step
        self.shift: Floats = np.zeros(len(levels))

    def learn(self, published: Floats, actual: float) -> None:
        """One window's maximum against the quantiles that were said of it.

        Half of a draw counts as held: in a series of noughts the quantiles are met exactly.
        """
        held = 0.5 * (actual <= published) + 0.5 * (actual < published)
        moved = self.shift + self._step * (self._levels - held)
        self.shift = np.minimum(np.maximum(moved, -MOST), MOST)
