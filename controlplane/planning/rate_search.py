"""The highest rate that meets the SLO, by bisection: pure, the runs are somebody else's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

GROWTH = 2.0
"""Step while no bound is known: an eightfold wrong start costs three runs."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A rate, and whether the SLO was met at it."""

    rate_rps: float
    met: bool


def bounds(tried: Sequence[Tried]) -> tuple[float | None, float | None]:
    """Highest rate that met the SLO below the lowest that missed it, and that lowest one."""
    missed = min((t.rate_rps for t in tried if not t.met), default=None)
    met = max((t.rate_rps for t in tried if t.met and (missed is None or t.rate_rps < missed)), default=None)
    return met, missed


def next_rate(tried: Sequence[Tried], start_rps: float, tolerance: float, max_runs: int) -> float | None:
    """The rate to try next; None when the bounds are within `tolerance` of each other or the runs are used up.

    Doubles until a rate misses, halves until one is met, then takes the geometric mean: rates differ by factors.
    """
    if len(tried) >= max_runs:
        return None
    met, missed = bounds(tried)
    if missed is None:
        return start_rps if met is None else met * GROWTH
    if met is None:
        return missed / GROWTH
    return None if missed / met - 1.0 <= tolerance else math.sqrt(met * missed)
