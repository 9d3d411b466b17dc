"""What is believed before anything was seen: errors in scales, and how trends go on."""

from __future__ import annotations

import numpy as np

from forecasters.history import Floats
from forecasters.types import DEFAULT_LEVELS

ERRORS = (-1.2, 0.1, 0.8, 1.4, 1.9, 2.8)
"""Quantiles, at `DEFAULT_LEVELS`, of the window's maximum about the level, in scales."""
DENSITIES = (0.2, 0.4, 0.33, 0.2, 0.13, 0.06)
"""Density of the errors at those quantiles, per scale: a bell's, with its tails raised lest steps there be huge."""


def density_at(levels: tuple[float, ...]) -> Floats:
    """The prior errors' density at `levels`."""
    return np.interp(levels, DEFAULT_LEVELS, DENSITIES)


def start(levels: tuple[float, ...], features: int, steps: int) -> Floats:
    """Coefficients (levels, features) to begin with."""
    found = np.zeros((len(levels), features))
    found[:, 0] = np.interp(levels, DEFAULT_LEVELS, ERRORS)
    return found
