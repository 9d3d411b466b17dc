"""Forecasters that learn as they look: one track a horizon, kept from tick to tick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecasters.base import Forecaster, PathForecaster, Seen
from forecasters.errors import Quantiles
from forecasters.history import Floats
from forecasters.seasonal_naive import DAY_S
from forecasters.track import Track
from forecasters.types import DEFAULT_LEVELS

TRACKS = 2
"""Horizons kept: a cold start measured anew moves it to and fro between two lengths."""
OVERLAP_BINS = 60
"""A history continues the one before where they share so many bins: the features' state then carries over a gap-less
join, and what was said of windows that are not over can still be judged."""


@dataclass(slots=True)
class _Followed:
    """A track and the full bins that it has learned from."""

    track: Track
    known: Floats
    start_s: float
    step_s: float

    def news(self, known: Floats, start_s: float, step_s: float) -> int | None:
        """How many bins of `known` are new; None where it does not continue what was learned from."""
        dropped = round((start_s - self.start_s) / step_s)
        overlap = len(self.known) - dropped
        if step_s != self.step_s or dropped < 0 or not min(OVERLAP_BINS, len(self.known)) <= overlap <= len(known):
            return None
        same = np.array_equal(self.known[dropped:], known[:overlap], equal_nan=True)
        return len(known) - overlap if same else None


class OnlineForecaster(Forecaster):
    """Learns once from every bin that is over. Where a history does not continue the one before, it begins anew.

    The same history gives the same forecast; one followed for longer than it is kept knows a little more of what was.
    """

    def __init__(self) -> None:
        super().__init__()
        self._followed: dict[int, _Followed] = {}

    def forget(self) -> None:
        """Begin anew with the next history."""
        self._followed = {}

    def _track(self, horizon_s: float) -> Track | None:
        """The track of that horizon, where one is kept."""
        followed = self._followed.get(self._steps(horizon_s))
        return None if followed is None else followed.track

    def _members(self) -> Sequence[PathForecaster]:
        """The forecasters of points beside the regressions."""
        return ()

    def _quantiles(self, seen: Seen, steps: int, levels: tuple[float, ...]) -> Quantiles:
        track = self._follow(seen, steps)
        peak = track.peak()
        if seen.share:
            # Between the forecast from the last full bin and the one from this bin, were it over as it began.
            peak = peak + seen.share * (track.look(seen.filled) - peak)
        singles = np.minimum(track.singles(seen.known[: seen.full]), peak)
        if levels == DEFAULT_LEVELS:
            return Quantiles(singles, peak)
        return Quantiles(_at(singles, levels), _at(peak[None, :], levels)[0])

    def _follow(self, seen: Seen, steps: int) -> Track:
        """The track of that horizon, up to date."""
        known, filled = seen.known[: seen.full], seen.filled[: seen.full]
        for member in self._members():
            member.place(seen.start_s, seen.step_s)
        followed = self._followed.pop(steps, None)
        news = followed.news(known, seen.start_s, seen.step_s) if followed is not None else None
        if followed is None or news is None:
            track = Track(steps, round(DAY_S / seen.step_s), self._members())
            track.extend(filled, known, len(known))
        else:
            track = followed.track
            track.extend(filled, known, news)
        self._followed[steps] = _Followed(track, known, seen.start_s, seen.step_s)
        for oldest in list(self._followed)[:-TRACKS]:
            del self._followed[oldest]
        return track


def _at(quantiles: Floats, levels: tuple[float, ...]) -> Floats:
    return np.array([np.interp(levels, DEFAULT_LEVELS, row) for row in quantiles])
