"""The trade between the speed that a user sees and the work that a GPU does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from controlplane.domain.measurement import Measurement


@dataclass(frozen=True, slots=True)
class Point:
    """One run: output tokens/s that a user sees (1 / mean TPOT), and output tokens/s per GPU."""

    per_user: float
    per_gpu: float
    measurement: Measurement


def points(measurements: Iterable[Measurement], gpus: int) -> tuple[Point, ...]:
    """Those of the runs that say both."""
    found = []
    for run in measurements:
        mean_s = run.tpot.mean_s if run.tpot is not None else None
        if mean_s and run.output_tokens_per_s is not None:
            found.append(Point(1.0 / mean_s, run.output_tokens_per_s / gpus, run))
    return tuple(found)


def frontier(found: Sequence[Point]) -> tuple[Point, ...]:
    """The points that no other beats in both, by falling speed per user."""
    best: list[Point] = []
    for point in sorted(found, key=lambda p: (-p.per_user, -p.per_gpu)):
        if not best or point.per_gpu > best[-1].per_gpu:
            best.append(point)
    return tuple(best)
