"""The highest rate that meets the SLO, by bisection: pure, the runs are somebody else's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.domain.measurement import Measurement

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
    highest = max((t.rate_rps for t in tried if t.met and (missed is None or t.rate_rps < missed)), default=None)
    return highest, missed


def best_run(runs: Sequence[Measurement], attainment: float) -> tuple[Measurement | None, float | None]:
    """The run at the highest rate that met the SLO below every miss, and the lowest rate that missed it."""
    tried = [(Tried(run.rate_rps, met(run, attainment)), run) for run in runs if run.rate_rps is not None]
    highest, missed = bounds([t for t, _ in tried])
    return next((run for t, run in tried if t.met and t.rate_rps == highest), None), missed


def met(run: Measurement, attainment: float) -> bool:
    """Whether so many of the run's requests met the SLO; a run that does not say did not."""
    return run.attainment is not None and run.attainment >= attainment


def next_rate(tried: Sequence[Tried], start_rps: float, tolerance: float, max_runs: int) -> float | None:
    """The rate to try next; None when the bounds are within `tolerance` of each other or the runs are used up.

    Doubles until a rate misses, halves until one is met, then takes the geometric mean: rates differ by factors.
    """
    if len(tried) >= max_runs:
        return None
    highest, missed = bounds(tried)
    if missed is None:
        return start_rps if highest is None else highest * GROWTH
    if highest is None:
        return missed / GROWTH
    return None if missed / highest - 1.0 <= tolerance else math.sqrt(highest * missed)
