"""What a noisy load takes of a replica's capacity: a minute of a fifth too many is missed for, one of too few saves
little, so the mean of both is more than what a steady load of the same rate misses (Jensen)."""

from __future__ import annotations

import math
from collections.abc import Callable

from controlplane.domain.decision import Demand

NODES = ((-2.857, 0.01126), (-1.3556, 0.22208), (0.0, 0.53333), (1.3556, 0.22208), (2.857, 0.01126))
"""Deviations and weights of Gauss-Hermite quadrature with five nodes: exact to the ninth power of a deviation."""
LEAST_RATE = 0.05
"""Of the mean: no minute is taken to have less."""
MOST_ROOM = 1.0
"""Share that is kept free at most: what has so hard an edge that twice its capacity is not enough misses for other
reasons than noise."""
_HALVINGS = 12


def sustained(rate: float, misses: Callable[[float], float], allowed: float, demand: Demand) -> float:
    """Of the steady `rate` at which a replica misses the share `allowed`, what it carries in the mean of minutes that
    differ by the demand's noise. What is planned above the load's level is room for that as well: the two are as
    unlike as what comes within a minute and within a cold start, so their squares add."""
    if demand.noise <= 0.0 or rate <= 0.0:
        return rate
    most = max(allowed, misses(rate))
    low, high = rate / (1.0 + MOST_ROOM), rate
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if mean_misses(misses, middle, demand.noise) <= most else (low, middle)
    room, ahead = rate / low - 1.0, demand.above_level
    return rate * (1.0 + ahead) / (1.0 + math.hypot(ahead, room))


def mean_misses(misses: Callable[[float], float], rate: float, noise: float) -> float:
    """Share of the requests that is missed where minutes differ about `rate` by the deviation `noise`, a share of it:
    a minute of more requests counts for more."""
    minutes = [(max(LEAST_RATE, 1.0 + deviations * noise), weight) for deviations, weight in NODES]
    return sum(weight * share * misses(rate * share) for share, weight in minutes) / sum(s * w for s, w in minutes)
