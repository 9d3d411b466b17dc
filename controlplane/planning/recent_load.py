"""A target's observed requests/s of the last hour, as they were at each observation.

Bins of the clock's minutes end up to a minute ago; who wants to know whether a load ramps asks for the minutes that end
now.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from controlplane.observing.window import RATE_WINDOW_S
from forecasters.regimes import MOST_BINS
from forecasters.types import Series

LAG_S = RATE_WINDOW_S / 2.0
"""From the time that an observed rate tells of to its observation."""
LONGEST_GAP_S = 90.0
"""Between two observations what lies between them is interpolated up to this; a longer gap is one."""


@dataclass(frozen=True, slots=True)
class RecentLoad:
    """Times, ascending, and requests/s."""

    at_s: tuple[float, ...] = ()
    rps: tuple[float, ...] = ()

    def adding(self, rps: float | None, at_s: float) -> RecentLoad:
        """With one observation; None leaves a gap. One that is not later than the last is left out."""
        if rps is None or (self.at_s and at_s <= self.at_s[-1]):
            return self
        first = next(
            (i for i, t in enumerate(self.at_s) if t >= at_s - (MOST_BINS + 1) * RATE_WINDOW_S), len(self.at_s)
        )
        return RecentLoad((*self.at_s[first:], at_s), (*self.rps[first:], rps))

    def minutes(self, now_s: float) -> Series:
        """The rates of the minutes that end now and before, oldest first, as far as there is no gap."""
        if not self.at_s or now_s - self.at_s[-1] > LONGEST_GAP_S:
            return Series(now_s, RATE_WINDOW_S, ())
        breaks = np.flatnonzero(np.diff(self.at_s) > LONGEST_GAP_S)
        first_s = self.at_s[int(breaks[-1]) + 1] if len(breaks) else self.at_s[0]
        count = min(MOST_BINS, int((now_s - first_s + 1e-6) // RATE_WINDOW_S) + 1)
        ends_s = now_s - RATE_WINDOW_S * np.arange(count - 1, -1, -1)
        values = np.interp(ends_s, self.at_s, self.rps)
        return Series(now_s - RATE_WINDOW_S * count, RATE_WINDOW_S, tuple(values.tolist()))

    @classmethod
    def of(cls, series: Series) -> RecentLoad:
        """What bins tell that a ledger kept."""
        ends = ((series.start_s + (i + 1) * series.step_s, value) for i, value in enumerate(series.values))
        known = [(at_s, value) for at_s, value in ends if value is not None][-MOST_BINS:]
        return cls(tuple(at_s for at_s, _ in known), tuple(value for _, value in known))
