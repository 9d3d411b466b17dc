"""Where a series stands beneath the noise of its bins.

What comes in a minute is a level that wanders, and the chance of that minute: clients that send in batches, crowds that
come in clumps. Whoever follows each minute provides for the worst of them, and whoever takes a mean of many is late
where the level moves. A bank of Kalman filters tells the two apart (the local level model: Harvey, *Forecasting,
Structural Time Series Models and the Kalman Filter*, 1989, chapters 2 and 3): each takes one deviation for the level's
steps and one for the noise, and counts for how likely it makes what came.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecasters.history import Floats, as_array, unbroken
from forecasters.regimes import MOST_BINS
from forecasters.types import Series

WALKS = (0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6)
NOISES = (0.0, 0.04, 0.07, 0.12, 0.2, 0.35, 0.6)
"""Standard deviations of the level's step in a bin, and of a bin about it, as shares of the mean: from a large crowd to
a few nervous clients, each about twice the one before."""
NOISE_ODDS = -3.0
"""Logarithm of the prior odds that there is any noise beyond what is known: one load in twenty. With it the league's
traces have none, whose copies are shifted by minutes; three of five with copies shifted by seconds have."""
LEAP = 4.0
"""Deviations beyond which a bin is no chance but a new level, and no less likely for being further off: one spike must
not be all that counts for an hour. A load that doubles under a noise of a tenth is followed within two minutes, where
it would take five."""
_STEPS, _CHANCES = (grid.ravel() ** 2 for grid in np.meshgrid(np.array(WALKS), np.array(NOISES), indexing="ij"))
_ODDS = np.where(_CHANCES > 0.0, NOISE_ODDS - math.log(len(NOISES) - 1), 0.0)


@dataclass(frozen=True, slots=True)
class Level:
    """`value` is the level in the series' unit, `noise` the standard deviation of a bin about it beyond what is known,
    as a share of the mean, in the mean over what is likely; 0 where the last bin is the level."""

    value: float
    noise: float


def find_levels(series: Sequence[Series], known: Sequence[float]) -> tuple[Level, ...]:
    """The level of each series at its end. `known`: the variances that a bin has anyway, as shares of the squared mean,
    such as that of counting.

    Looks at the last hour, since the last gap in any of them; empty where that has no bin, or where one is nought in
    all of its bins, of which no share can be told.

    Raises:
        ValueError: if the series are not of equally many bins, or not as many as `known`.
    """
    if len({len(one.values) for one in series}) > 1 or len(series) != len(known):
        raise ValueError(
            f"series have {[len(one.values) for one in series]!r} bins, and known {len(known)} variances; "
            "allowed: equally many bins, and a variance for each series"
        )
    values = unbroken(np.array([as_array(one) for one in series]), MOST_BINS)
    if not values.size or not (values.mean(axis=1) > 0.0).all():
        return ()
    means = values.mean(axis=1, keepdims=True)
    levels, likelihoods = _filtered(values / means, np.array(known)[:, None])
    odds = likelihoods + _ODDS
    shares = np.exp(odds - odds.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    # Where there is no noise beyond what is known, what came last is the level: what is known is others' business.
    found = means[:, 0] * (shares * np.where(_CHANCES > 0.0, levels, values[:, -1:] / means)).sum(axis=1)
    noises = (shares * np.sqrt(_CHANCES)).sum(axis=1)
    return tuple(Level(float(value), float(noise)) for value, noise in zip(found, noises, strict=True))


def _filtered(values: Floats, known: Floats) -> tuple[Floats, Floats]:
    """(series, filters): the level at the end, and the logarithm of the likelihood of all bins but the first."""
    chances = _CHANCES + known
    level = np.repeat(values[:, :1], len(_STEPS), axis=1)
    variance, likelihood = chances.copy(), np.zeros_like(chances)
    for column in values.T[1:]:
        before = variance + _STEPS
        total = before + chances
        surprise = column[:, None] - level
        leaps = surprise**2 > LEAP**2 * total
        likelihood -= 0.5 * (np.minimum(surprise**2 / total, LEAP**2) + np.log(total))
        gain = np.where(leaps, 1.0, before / total)
        level = level + gain * surprise
        variance = np.where(leaps, chances, (1.0 - gain) * before)
    return level, likelihood
