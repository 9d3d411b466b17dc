"""From point forecasts to quantiles: a forecaster's own past errors, over the same number of steps.

Direct multi-step errors need no model of how one-step errors add up (Chatfield, "Calculating Interval Forecasts",
JBES 1993). They are divided by the root of the level at which they were made and multiplied by that of today's, since
the noise of arrivals grows with the root of their rate; so last night's errors serve for the morning.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from forecasters.history import Floats
from forecasters.types import QuantileForecast

MAX_ORIGINS = 1440
"""Past origins whose errors are kept: a day of one-minute bins."""
PRIOR_ERRORS = 12
"""Pseudo-observations of the prior: they rule a history of minutes and are drowned by one of hours."""
PRIOR_RELATIVE_SD = 0.25
"""Spread of the prior's errors, relative to the level: request rates move by about a quarter within a cold start."""

LEAST_SHARE = 0.25
"""The root is taken of no less than this share of the mean level. An error made far below it is a change, not noise:
without the floor, a jump from nought to ten is foreseen at ten as one to a thousand."""


def quantile_forecast(
    name: str,
    path: Floats,
    past_paths: Floats,
    past_actuals: Floats,
    made_at_s: float,
    step_s: float,
    levels: tuple[float, ...],
) -> QuantileForecast:
    """Quantiles around `path` (steps,) from the errors of `past_paths` against `past_actuals`, both (origins, steps).

    Origins with a gap in either are left out. The peak's quantiles come from the errors of the path's maximum.
    """
    known = ~(np.isnan(past_actuals) | np.isnan(past_paths)).any(axis=1)
    paths, actuals = past_paths[known][-MAX_ORIGINS:], past_actuals[known][-MAX_ORIGINS:]
    floor = max(LEAST_SHARE * float(actuals.mean()) if actuals.size else 0.0, _LEAST)
    steps = [_quantiles(float(path[h]), actuals[:, h], paths[:, h], floor, levels) for h in range(len(path))]
    peak = _quantiles(float(path.max()), actuals.max(axis=1), paths.max(axis=1), floor, levels)
    # The maximum of a window is never below any of its bins, whatever the errors' sampling says.
    highest = np.maximum(peak, np.max(steps, axis=0))
    return QuantileForecast(
        made_at_s=made_at_s,
        step_s=step_s,
        levels=levels,
        values=tuple(tuple(float(v) for v in step) for step in steps),
        peak=tuple(float(v) for v in highest),
        forecaster=name,
    )


_LEAST = 1e-9
"""The floor of a history of noughts, in any unit, so that nothing is divided by nought."""


def _quantiles(point: float, actuals: Floats, points: Floats, floor: float, levels: tuple[float, ...]) -> Floats:
    root = np.sqrt(max(point, floor))
    places = (np.arange(PRIOR_ERRORS) + 0.5) / PRIOR_ERRORS
    prior = np.array([NormalDist().inv_cdf(p) for p in places]) * PRIOR_RELATIVE_SD * point
    scaled = (actuals - points) / np.sqrt(np.maximum(points, floor))
    errors = np.concatenate((prior, root * scaled))
    return np.asarray(np.maximum(point + np.quantile(errors, levels), 0.0))
