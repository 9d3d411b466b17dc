"""What is believed before anything was seen: errors in scales, and how trends go on.

Round medians over the traces in `docs/forecasters.md`, raw and twentyfold, and over generated waves, steps and walks,
of what the regressions had learned at the end of each. They rule the first minutes; every series soon has its own.
"""

from __future__ import annotations

import numpy as np

from forecasters.errors import PRIOR_ERRORS
from forecasters.history import Floats
from forecasters.types import DEFAULT_LEVELS

STEPS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Lengths of the window, bins, of the rows of the tables; between them the tables are interpolated."""
ERRORS = (
    (-0.90, 0.10, 0.65, 1.25, 1.70, 2.60),
    (-0.55, 0.35, 0.90, 1.50, 2.00, 2.90),
    (-0.30, 0.60, 1.15, 1.75, 2.20, 3.20),
    (-0.15, 0.95, 1.45, 2.00, 2.60, 3.60),
    (0.00, 1.30, 1.90, 2.60, 3.30, 4.60),
    (0.15, 1.70, 2.30, 3.30, 4.00, 5.20),
)
"""Quantiles, at `DEFAULT_LEVELS`, of the window's maximum about the level, in scales: the longer, the higher."""
SLOPES = (
    (-0.25, 0.50, 0.25, -0.12, 0.0, 0.02, 0.0, 0.0),
    (-0.10, 0.55, 0.25, -0.13, 0.0, 0.05, 0.05, 0.0),
    (-0.05, 0.70, 0.28, -0.16, 0.0, 0.09, 0.10, 0.0),
    (-0.03, 0.80, 0.43, -0.20, 0.0, 0.10, 0.15, 0.0),
    (0.0, 0.80, 0.50, -0.28, 0.0, 0.15, 0.30, 0.0),
    (0.0, 0.85, 0.50, -0.33, 0.0, 0.20, 0.50, 0.0),
)
"""Coefficients of the features after the constant: a rise of minutes goes on, one of an hour turns back a little."""
DENSITIES = (0.2, 0.4, 0.33, 0.2, 0.13, 0.06)
"""Density of the errors at those quantiles, per scale: a bell's, with its tails raised lest steps there be huge."""


def density_at(levels: tuple[float, ...]) -> Floats:
    """The prior errors' density at `levels`."""
    return np.interp(levels, DEFAULT_LEVELS, DENSITIES)


def errors(steps: int) -> Floats:
    """Pseudo-errors (`PRIOR_ERRORS`,) of the window's maximum about the level, in scales."""
    places = (np.arange(PRIOR_ERRORS) + 0.5) / PRIOR_ERRORS
    return np.interp(places, DEFAULT_LEVELS, _at(ERRORS, steps))


def start(steps: int) -> Floats:
    """Coefficients (levels, features), at `DEFAULT_LEVELS`, to begin with where windows are of `steps` bins."""
    errors, slopes = _at(ERRORS, steps), _at(SLOPES, steps)
    return np.column_stack((errors, np.tile(slopes, (len(errors), 1))))


def _at(table: tuple[tuple[float, ...], ...], steps: int) -> Floats:
    return np.array([np.interp(np.log(steps), np.log(STEPS), column) for column in zip(*table, strict=True)])
