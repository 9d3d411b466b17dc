"""From point forecasts to quantiles: a forecaster's own past errors, over the same number of steps.

Direct multi-step errors need no model of how one-step errors add up (Chatfield, "Calculating Interval Forecasts",
JBES 1993). They are divided by the root of the level at which they were made and multiplied by that of today's, since
the noise of arrivals grows with the root of their rate; so last night's errors serve for the morning.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from forecasters.history import Floats

MAX_ORIGINS = 1440
"""Past origins whose errors are kept: a day of one-minute bins."""
PRIOR_ERRORS = 12
"""Pseudo-observations of the prior: they rule a history of minutes and are drowned by one of hours."""
PRIOR_RELATIVE_SD = 0.25
"""Spread of the prior's errors, relative to the level: request rates move by about a quarter within a cold start."""
PRIOR_NORMAL = np.array([NormalDist().inv_cdf((place + 0.5) / PRIOR_ERRORS) for place in range(PRIOR_ERRORS)])
"""The pseudo-observations, in standard deviations: evenly spread over a bell."""
LEAST_SHARE = 0.25
"""The root is taken of no less than this share of the mean level. An error made far below it is a change, not noise:
without the floor, a jump from nought to ten is foreseen at ten as one to a thousand."""
LEAST_KNOWN = 0.5
"""A window's maximum counts as seen where at least half of its bins are; fewer would hide too many peaks."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of each step (steps, levels), and of their maximum (levels,)."""

    steps: Floats
    peak: Floats

    def towards(self, other: Quantiles, share: float) -> Quantiles:
        """This one, moved by `share` of the way to the other."""
        return Quantiles(self.steps + share * (other.steps - self.steps), self.peak + share * (other.peak - self.peak))


def peaks(actuals: Floats) -> Floats:
    """The highest of each row of (origins, steps), NaN where too few of its bins were seen."""
    seen = ~np.isnan(actuals)
    highest = np.max(actuals, axis=1, where=seen, initial=-np.inf)
    return np.where(seen.mean(axis=1) >= LEAST_KNOWN, highest, np.nan)


def empirical(path: Floats, past_paths: Floats, past_actuals: Floats, levels: tuple[float, ...]) -> Quantiles:
    """Quantiles around `path` (steps,) from the errors of `past_paths` against `past_actuals`, both (origins, steps).

    The peak's quantiles come from the errors of the path's maximum. A bin that was not seen has no error; a window has
    one where at least half of its bins were seen.
    """
    points = np.column_stack((past_paths, past_paths.max(axis=1))) if len(past_paths) else np.empty((0, len(path) + 1))
    actuals = np.column_stack((past_actuals, peaks(past_actuals))) if len(past_paths) else points
    now = np.append(path, path.max())
    floor = max(LEAST_SHARE * float(np.nanmean(actuals)) if not np.isnan(actuals).all() else 0.0, _LEAST)
    scaled = (actuals - points) / np.sqrt(np.maximum(points, floor))
    prior = PRIOR_NORMAL[:, None] * PRIOR_RELATIVE_SD * now
    errors = np.concatenate((prior, scaled * np.sqrt(np.maximum(now, floor))))
    made = np.maximum(now[:, None] + column_quantiles(errors, levels), 0.0)
    return Quantiles(made[:-1], made[-1])


def column_quantiles(values: Floats, levels: tuple[float, ...]) -> Floats:
    """(columns, levels): linear quantiles of each column's numbers; NaN is left out, and each column has a number.

    `numpy.nanquantile` gives the same, a column at a time and fifty times slower.
    """
    ordered = np.sort(values, axis=0)
    counts = len(values) - np.isnan(values).sum(axis=0)
    places = (counts - 1)[:, None] * np.array(levels)[None, :]
    low = np.floor(places).astype(int)
    high = np.minimum(low + 1, (counts - 1)[:, None])
    columns = np.arange(values.shape[1])[:, None]
    left, right = ordered[low, columns], ordered[high, columns]
    return np.asarray(left + (right - left) * (places - low))


_LEAST = 1e-9
"""The floor of a history of noughts, in any unit, so that nothing is divided by nought."""
