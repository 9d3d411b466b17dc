"""What the last minutes and hours look like, at several scales at once: the features of the quantile regression.

Every feature is a difference of levels divided by the scale of the series' own recent surprises, so that it has no unit
and one set of coefficients serves ten requests a second and ten thousand tokens alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from forecasters.history import Floats

LEVEL_BINS = (2.0, 4.0, 10.0, 30.0, 90.0)
"""Memories of the moving averages: from a burst of minutes to a ramp of an hour and a half."""
SURPRISE_BINS = (10.0, 60.0, 360.0)
"""Memories of the mean surprise: noise changes with the hour, and in a burst."""
SURPRISE_SHARES = (0.3, 0.3, 0.4)
"""How much each memory's square counts in the scale."""
PRIOR_SURPRISE = 0.15
"""Surprise before anything is known, as a share of the level: about what a minute of five requests a second shows."""
PRIOR_BINS = 3.0
"""That prior counts as many bins; a history of ten minutes has forgotten most of it."""
LEAST_SURPRISE = 0.005
"""The scale is at least this share of the level: a constant series is not foreseen to the last digit."""
LEAST_SHARE = 0.25
"""The root of the level is taken of no less than this share of the slow level: a jump from nought is a change, not
noise."""
PEAK_BINS = 10
"""The highest of this many bins is a feature: a burst that was may be again."""
SEASON_SMOOTHING = 15
"""Yesterday's path is averaged over as many bins either side: its ramps come back, its bursts do not."""
SEASON_LIMITS = (0.5, 2.0)
"""Yesterday's rise counts as no more than a doubling or a halving."""
MOST = 10.0
"""Features are cut here, in scales: beyond, a spike would own the coefficients."""
FEATURES = 9
RISE = 2
"""The feature whose sign says whether the level rises: errors on the way up tell little of those on the way down."""


@dataclass(frozen=True, slots=True)
class Rows:
    """One row a bin: the level and the scale of its errors (both in the series' unit), the root of the level, and the
    features (rows, FEATURES)."""

    level: Floats
    scale: Floats
    root: Floats
    features: Floats


class Trend:
    """Follows one series, bin by bin or many bins at once, with the same result.

    It keeps the averages' states; `look` takes copies of them, so that a bin which is not over can be tried.
    """

    def __init__(self, season_bins: int) -> None:
        self._season = season_bins
        self._bins = 0
        self._last = 0.0
        self._levels = [np.zeros(1) for _ in LEVEL_BINS]
        self._surprises = [np.zeros(1) for _ in SURPRISE_BINS]
        self._before: tuple[float, float] | None = None

    def extend(self, values: Floats, first: int, steps: int) -> Rows:
        """Rows of `values[first:]`, which follow the bins seen before; `steps` is how far the season looks ahead."""
        new = values[first:]
        fast, level, middle, slow, slowest = self._averages(new)
        centre = 0.5 * fast + 0.5 * level
        # The fourth and the root: arrivals' noise grows with the root of their rate, from a floor that moves slowly.
        root = np.sqrt(np.maximum(centre, LEAST_SHARE * np.maximum(slowest, _LEAST)))
        scale = root * np.maximum(self._surprise(new, level, root), LEAST_SURPRISE * root)
        features = np.column_stack(
            (
                np.ones(len(new)),
                (new - fast) / scale,
                (fast - level) / scale,
                (level - middle) / scale,
                (middle - slow) / scale,
                (slow - slowest) / scale,
                (_highest(values, first) - centre) / scale,
                0.1 * root * root / scale,
                self._seasonal(values, first, steps) * centre / scale,
            )
        )
        self._bins += len(new)
        return Rows(centre, scale, root, np.clip(features, -MOST, MOST))

    def look(self, values: Floats, first: int, steps: int) -> Rows:
        """As `extend`, and nothing is remembered."""
        kept = (self._bins, self._levels, self._surprises, self._before)
        rows = self.extend(values, first, steps)
        self._bins, self._levels, self._surprises, self._before = kept
        return rows

    def _averages(self, new: Floats) -> list[Floats]:
        averages, states = [], []
        for memory, state in zip(LEVEL_BINS, self._levels, strict=True):
            raw, after = _filter(new, memory, state)
            averages.append(raw / self._weight(len(new), memory))
            states.append(after)
        self._levels = states
        return averages

    def _weight(self, new: int, memory: float) -> Floats:
        """What the averages' weights sum to so far: a young average is a plain mean."""
        keep = float(np.exp(-1.0 / memory))
        return np.asarray(1.0 - keep ** np.arange(self._bins + 1, self._bins + new + 1), dtype=np.float64)

    def _surprise(self, new: Floats, level: Floats, root: Floats) -> Floats:
        """Root mean square over memories of the mean |value - level before|, over the root of the level."""
        before_level, before_root = self._before or (float(level[0]), float(root[0]))
        levels, roots = np.append(before_level, level[:-1]), np.append(before_root, root[:-1])
        # The larger root: after nought a first request is no surprise of a thousand scales.
        jumps = np.abs(new - levels) / np.maximum(roots, root)
        total, states = np.zeros(len(new)), []
        for memory, share, state in zip(SURPRISE_BINS, SURPRISE_SHARES, self._surprises, strict=True):
            keep = float(np.exp(-1.0 / memory))
            start = (1.0 - keep) * PRIOR_BINS
            if self._before is None:
                state = np.array([keep * start * PRIOR_SURPRISE * float(root[0])])
            raw, after = _filter(jumps, memory, state)
            count = np.arange(self._bins + 1, self._bins + len(new) + 1)
            total += share * (raw / (1.0 - keep**count + start * keep**count)) ** 2
            states.append(after)
        self._surprises = states
        self._before = float(level[-1]), float(root[-1])
        return np.sqrt(total)

    def _seasonal(self, values: Floats, first: int, steps: int) -> Floats:
        """How much more came over the next `steps` bins yesterday, as a share; nought while there is no yesterday."""
        rise = np.zeros(len(values) - first)
        origins = np.arange(max(first, self._season), len(values)) - self._season
        if not len(origins) or steps >= self._season:
            return rise
        sums = np.append(0.0, np.cumsum(values))
        ahead = origins[:, None] + np.arange(steps + 1)[None, :]
        last = origins[:, None] + self._season
        low, high = np.maximum(ahead - SEASON_SMOOTHING, 0), np.minimum(ahead + SEASON_SMOOTHING, last) + 1
        means = (sums[high] - sums[low]) / (high - low)
        there = means[:, 0] > _LEAST
        ratios = np.divide(means[:, 1:].max(axis=1), means[:, 0], out=np.ones(len(origins)), where=there)
        rise[origins + self._season - first] = np.clip(ratios, *SEASON_LIMITS) - 1.0
        return rise


_LEAST = 1e-12
"""The floor of a history of noughts, in any unit, so that nothing is divided by nought."""


def _filter(new: Floats, memory: float, state: Floats) -> tuple[Floats, Floats]:
    keep = float(np.exp(-1.0 / memory))
    out, after = lfilter([1.0 - keep], [1.0, -keep], new, zi=state)
    return np.asarray(out), np.asarray(after)


def _highest(values: Floats, first: int) -> Floats:
    """The maximum of the last `PEAK_BINS` bins, from each of `values[first:]`."""
    start = max(first - PEAK_BINS + 1, 0)
    padded = np.concatenate((np.full(max(PEAK_BINS - 1 - first, 0), -np.inf), values[start:]))
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, PEAK_BINS).max(axis=1))
