"""Jumps that noise cannot explain: how far to believe in a new level before the averages have reached it.

A run of bins that are all far to one side of the level before it is a level shift, or a spike that lasts. One such bin
is either; three are a new level. On a ramp nothing is found: there the scale has grown to the ramp's surprises.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecasters.history import Floats

RUN_BINS = 10
"""Runs are looked for back to here: by then the averages have followed."""
BELIEF = np.array([0.5, 0.8] + [0.95] * (RUN_BINS - 2))
"""How far a run of one, two, three bins and more is believed: after a spike the next bin is back."""
LEAST_SCALES, SURE_SCALES = 4.0, 8.0
"""A run within four scales of the old level is noise, one beyond eight is not; in between belief grows evenly."""
LEVEL_BINS = 3
"""The new level is the mean of the run's last bins, of no more than three: it may still be rising."""
ROOT_LIMITS = (0.2, 5.0)
"""The scale grows with the root of the level, within these factors: far below, the old noise says little."""


@dataclass(frozen=True, slots=True)
class Shifts:
    """One row a bin: the share to believe in a new level (0 where there is none), that level and its errors' scale."""

    share: Floats
    level: Floats
    scale: Floats


def shifts(values: Floats, levels: Floats, scales: Floats, rows: int) -> Shifts:
    """Those of the last `rows` bins; the arrays are of one length and hold up to `RUN_BINS` bins more before them."""
    missing = max(rows + RUN_BINS - len(values), 0)
    runs = _back(np.concatenate((np.full(missing, np.nan), values)), rows, 0)
    before = _back(np.concatenate((np.full(missing, np.nan), levels)), rows, 1)
    scale = _back(np.concatenate((np.full(missing, np.nan), scales)), rows, 1)
    lowest, highest = np.minimum.accumulate(runs, axis=1), np.maximum.accumulate(runs, axis=1)
    with np.errstate(over="ignore"):  # beyond all numbers is far enough away
        away = np.nan_to_num(np.maximum(lowest - before, before - highest) / scale, nan=0.0)
    shares = BELIEF * np.clip((away - LEAST_SCALES) / (SURE_SCALES - LEAST_SCALES), 0.0, 1.0)
    best = shares.argmax(axis=1)
    every = np.arange(rows)
    means = np.cumsum(runs[:, :LEVEL_BINS], axis=1) / np.arange(1, LEVEL_BINS + 1)
    level = means[every, np.minimum(best, LEVEL_BINS - 1)]
    share = shares[every, best]
    old, noise = before[every, best], scale[every, best]
    found = share > 0
    with np.errstate(over="ignore"):
        ratio = np.divide(level, old, out=np.ones(rows), where=found & (old > 0))
    grown = np.where(found, noise, 0.0) * np.clip(np.sqrt(ratio), *ROOT_LIMITS)
    return Shifts(share, np.where(found, level, 0.0), grown)


def _back(values: Floats, rows: int, lag: int) -> Floats:
    """(rows, RUN_BINS): each bin's value `lag` bins ago, and those before it, newest first."""
    ends = np.arange(len(values) - rows, len(values)) - lag
    return np.asarray(values[np.maximum(ends[:, None] - np.arange(RUN_BINS)[None, :], 0)])
