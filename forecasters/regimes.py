"""Whether a load ramps, or goes round within minutes, and where it is on its way.

Three families explain the last hour of bins: a level that wanders, a level that ramps, a wave on a level. All are
Gaussian processes on the load as a share of its mean, so each gives the bins a probability (the marginal likelihood;
Rasmussen & Williams, *Gaussian Processes for Machine Learning*, 2006, chapters 2 and 5), and with prior odds has one
itself. A wave earns it as soon as it has come round once, from a dozen bins, where learning from losses takes hours;
loads that merely go up and down leave it to the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtr

from forecasters.history import Floats, as_array, unbroken
from forecasters.types import DEFAULT_LEVELS, Regime, Series

RAMP, CYCLE = "ramp", "cycle"
PERIODS = tuple(float(p) for p in np.geomspace(4.0, 30.0, 36))
"""Bins of a round: shorter ones are as short as a window of rates, longer ones are what ramps and days are made of.
Neighbours are 6 % apart; the mean over them finds what lies between."""
ROUNDS = 0.8
"""Rounds that must have been seen of a period before it is considered: any ramp is the beginning of some wave."""
WALKS = (0.005, 0.02, 0.06, 0.15)
"""Standard deviations by which a level wanders in a bin, as shares of the mean: a steady crowd to a nervous few."""
SLOPES = (0.02, 0.06, 0.15)
SLOPE_BINS = (2.0, 6.0, 18.0)
"""How steep a ramp is, a bin, and how long it goes on as it went (the integral of an Ornstein-Uhlenbeck process): from
bursts to what a wave of an hour does between its trough and its crest."""
PRIOR = {"walk": 0.0, RAMP: -3.0, CYCLE: -3.0}
"""Logarithms of the prior odds: at one time in twenty a load ramps, and one in twenty goes round. With even odds the
loads of the league's traces go round as little; ramps are then believed that were chance."""
LEVEL = 4.0
"""Variance of the level about which all of it happens, in means squared: hardly anything is known of it."""
SWING, OVERTONE = 0.5, 0.02
"""Variances of the wave, whose amplitude is then about its mean's, and of its double frequency, for what is no sine."""
SLIP = 0.01
"""By which a wave's level wanders in a bin; ramps have half of it."""
MOST_BINS = 60
"""An hour of minutes: two rounds of the longest wave."""
LEAST_BINS = 4
LEAST_NOISE = 1e-5
"""Variance of a bin beside that of counting, in means squared: nothing is known to the last digit."""
QUIET = 0.25
"""Of the mean: what is below it is counted with the noise of so much, lest an empty bin be exact."""
NEGLIGIBLE = 1e-3
"""Share of a family's probability below which a member of it is left out."""
WORTH_SAYING = 0.01
"""Probability from which on a regime is told of."""
POINTS = 5
"""Moments of the window, at least, of which the highest quantile is the peak's: a wave turns within it. A long window
has one for each bin, lest a crest falls between two."""
_HALVINGS = 30


def find_regimes(series: Series, horizon_s: float, lag_s: float) -> tuple[Regime, ...]:
    """What a series of rates a second may be doing beside wandering, and what comes then within `horizon_s` of its end;
    empty where nothing speaks for it, or there are not enough bins without a gap to tell.

    `lag_s`: seconds from the time that a bin tells of to the bin's end.
    """
    known = unbroken(as_array(series), MOST_BINS)
    if len(known) < LEAST_BINS or known.mean() <= 0:
        return ()
    ahead_s = lag_s + np.linspace(0.0, horizon_s, max(POINTS, math.ceil(horizon_s / series.step_s) + 1))
    posterior = _posterior(known, ahead_s / series.step_s, series.step_s)
    found = (posterior.regime(family, series.step_s) for family in (RAMP, CYCLE))
    return tuple(regime for regime in found if regime is not None)


@dataclass(frozen=True, slots=True)
class _Kernel:
    """One member of a family: the covariance of two moments (bins since the first), of the load over its mean."""

    family: str
    period: float
    at: Callable[[Floats, Floats], Floats]


@dataclass(frozen=True, slots=True)
class _Posterior:
    """By kernel: its probability; by kernel and moment: mean and deviation of the load then."""

    probabilities: Floats
    means: Floats
    deviations: Floats

    def regime(self, family: str, step_s: float) -> Regime | None:
        """What one family says, and how likely it is; None where it hardly is."""
        own = np.array([kernel.family == family for kernel in _KERNELS])
        probability = float(self.probabilities[own].sum())
        if probability < WORTH_SAYING:
            return None
        chosen = own & (self.probabilities >= NEGLIGIBLE * probability)
        weights = self.probabilities[chosen] / self.probabilities[chosen].sum()
        quantiles = _mixed(weights, self.means[chosen], self.deviations[chosen])
        period = _KERNELS[int(np.argmax(np.where(own, self.probabilities, 0.0)))].period
        return Regime(family, probability, period * step_s if period else None, tuple(quantiles.max(axis=0).tolist()))


def _posterior(known: Floats, to_come: Floats, step_s: float) -> _Posterior:
    """`to_come`: bins from the middle of the last of `known` on."""
    mean, bins = float(known.mean()), len(known)
    at, then = np.arange(bins, dtype=np.float64), bins - 1.0 + to_come
    noise = np.maximum(known, QUIET * mean) / step_s / mean**2 + LEAST_NOISE
    covariance = _covariances(bins) + np.diag(noise)
    across = np.stack([kernel.at(at, then) for kernel in _KERNELS])
    before = np.stack([np.diag(kernel.at(then, then)) for kernel in _KERNELS])
    lower = np.linalg.cholesky(covariance)
    seen = np.broadcast_to((known / mean)[:, None], (len(_KERNELS), bins, 1))
    solved = np.linalg.solve(lower, np.concatenate((seen, across), axis=2))
    white, crossed = solved[:, :, :1], solved[:, :, 1:]
    likelihood = -0.5 * (white**2).sum(axis=(1, 2)) - np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
    odds = likelihood + _ODDS + np.where(bins < _PERIODS * ROUNDS, -np.inf, 0.0)
    share = np.exp(odds - odds.max())
    means = np.einsum("kbp,kb->kp", crossed, white[:, :, 0])
    counting = np.maximum(means, 0.0) / step_s / mean
    variances = np.maximum(before - (crossed**2).sum(axis=1) + counting, LEAST_NOISE)
    return _Posterior(share / share.sum(), means * mean, np.sqrt(variances) * mean)


@lru_cache(maxsize=MOST_BINS)
def _covariances(bins: int) -> Floats:
    """(kernels, bins, bins): of so many bins with one another, without the noise of each."""
    at = np.arange(bins, dtype=np.float64)
    return np.stack([kernel.at(at, at) for kernel in _KERNELS])


def _mixed(weights: Floats, means: Floats, deviations: Floats) -> Floats:
    """Quantiles (moments, levels) of a mixture of normals, never below nought, by halving."""
    levels = np.array(DEFAULT_LEVELS)
    low = np.repeat((means - 5.0 * deviations).min(axis=0)[:, None], len(levels), axis=1)
    high = np.repeat((means + 5.0 * deviations).max(axis=0)[:, None], len(levels), axis=1)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        below = np.einsum("k,kml->ml", weights, ndtr((middle - means[:, :, None]) / deviations[:, :, None]))
        low, high = np.where(below < levels, middle, low), np.where(below < levels, high, middle)
    return np.asarray(np.maximum(high, 0.0))


def _walk(deviation: float) -> Callable[[Floats, Floats], Floats]:
    def at(a: Floats, b: Floats) -> Floats:
        return np.asarray(LEVEL + deviation**2 * np.minimum(a[:, None] + 1.0, b[None, :] + 1.0))

    return at


def _ramp(slope: float, bins: float) -> Callable[[Floats, Floats], Floats]:
    def at(a: Floats, b: Floats) -> Floats:
        first, second = a[:, None] + 1.0, b[None, :] + 1.0
        decays = np.exp(-first / bins) + np.exp(-second / bins) - 1.0 - np.exp(-np.abs(first - second) / bins)
        least = np.minimum(first, second)
        return np.asarray(LEVEL + slope**2 * (2.0 * bins * least + bins**2 * decays) + (SLIP / 2.0) ** 2 * least)

    return at


def _wave(period: float) -> Callable[[Floats, Floats], Floats]:
    def at(a: Floats, b: Floats) -> Floats:
        turn = 2.0 * np.pi * (a[:, None] - b[None, :]) / period
        slip = SLIP**2 * np.minimum(a[:, None] + 1.0, b[None, :] + 1.0)
        return np.asarray(LEVEL + SWING * np.cos(turn) + OVERTONE * np.cos(2.0 * turn) + slip)

    return at


_KERNELS = (
    *(_Kernel("walk", 0.0, _walk(deviation)) for deviation in WALKS),
    *(_Kernel(RAMP, 0.0, _ramp(slope, bins)) for slope in SLOPES for bins in SLOPE_BINS),
    *(_Kernel(CYCLE, period, _wave(period)) for period in PERIODS),
)
_PERIODS = np.array([kernel.period for kernel in _KERNELS])
_ODDS = np.array(
    [PRIOR[kernel.family] - np.log(sum(k.family == kernel.family for k in _KERNELS)) for kernel in _KERNELS]
)
