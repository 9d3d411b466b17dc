"""What turns within minutes: a line that flattens out, and the rhythm of the last three quarters of an hour."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from forecasters.base import PathForecaster
from forecasters.history import Floats

SLOPE_BINS = 2
"""The slope is that of so many bins: a half-hour's line is still rising when a ten-minute wave has turned."""
RHYTHM_BINS = 45
"""Coefficients are those of so many bins: four periods of a ten-minute wave, and little enough to be forgotten."""
LAGS = 4
"""A sine on a level obeys three lags exactly, whatever its period; the fourth takes up the noise."""
STIFFNESS = 3.0
"""Persistence counts as so many bins of evidence: a short or noisy history forecasts its last value."""
BEYOND = 0.25
"""A rhythm goes no further than what it was seen to reach, and a quarter of its range."""


class Swing(PathForecaster):
    """The last value and its slope, damped by `damping` a bin (Gardner & McKenzie, 1985); never below nought."""

    name = "swing"
    damping: ClassVar[float] = 0.8

    def __init__(self, damping: float | None = None) -> None:
        super().__init__()
        self._damping = damping or self.damping

    @property
    def label(self) -> str:
        """See `PathForecaster`."""
        return f"{self.name}-{self._damping:g}"

    def ahead(self, values: Floats, first: int, steps: int) -> Floats:
        """See `PathForecaster`."""
        ends = np.arange(first, len(values))
        starts = np.maximum(ends - SLOPE_BINS, 0)
        slopes = (values[ends] - values[starts]) / np.maximum(ends - starts, 1)
        reach = np.cumsum(self._damping ** np.arange(1, steps + 1))
        return np.asarray(np.maximum(values[ends, None] + slopes[:, None] * reach[None, :], 0.0))


class Rhythm(PathForecaster):
    """An autoregression of `LAGS` about the mean of the last `RHYTHM_BINS`, by least squares that lean on persistence
    (ridge; Hoerl & Kennard, 1970); it stays within what was seen, and a little beyond; never below nought."""

    name = "rhythm"

    def ahead(self, values: Floats, first: int, steps: int) -> Floats:
        """See `PathForecaster`."""
        padded = np.concatenate((np.full(RHYTHM_BINS - 1, values[0]), values))
        recent = np.lib.stride_tricks.sliding_window_view(padded, RHYTHM_BINS)[first:]
        means = recent.mean(axis=1, keepdims=True)
        about = recent - means
        changes = _coefficients(about)
        low, high = recent.min(axis=1), recent.max(axis=1)
        most, least = high + BEYOND * (high - low), np.maximum(low - BEYOND * (high - low), 0.0)
        lags, path = about[:, : -LAGS - 1 : -1].copy(), np.empty((len(recent), steps))
        for step in range(steps):
            coming = lags[:, 0] + (changes * lags).sum(axis=1)
            path[:, step] = np.clip(coming + means[:, 0], least, most)
            lags = np.column_stack((path[:, step] - means[:, 0], lags[:, :-1]))
        return path


def _coefficients(about: Floats) -> Floats:
    """(rows, LAGS): how the next change follows from the lags, newest first; nought is persistence."""
    rows = np.lib.stride_tricks.sliding_window_view(about, LAGS + 1, axis=1)
    before, change = rows[:, :, LAGS - 1 :: -1], rows[:, :, LAGS] - rows[:, :, LAGS - 1]
    products = np.einsum("rti,rtj->rij", before, before)
    stiffness = STIFFNESS * about.var(axis=1) + 1e-12
    products += stiffness[:, None, None] * np.eye(LAGS)
    return np.asarray(np.linalg.solve(products, np.einsum("rti,rt->ri", before, change)[:, :, None])[:, :, 0])
