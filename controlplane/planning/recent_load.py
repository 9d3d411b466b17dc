"""A target's observed load of the last hour, as it was at each observation.

Bins of the clock's minutes end up to a minute ago; who wants to know whether a load ramps asks for the minutes that end
now. What ramps may be the prompts' lengths while requests grow fewer, so it is asked in requests of the present length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from controlplane.domain.observation import Load
from controlplane.observing.window import RATE_WINDOW_S
from controlplane.planning.load_history import rates
from controlplane.planning.roofline import StepCost
from controlplane.planning.work import work_s_per_s
from forecasters.history import Floats
from forecasters.regimes import MOST_BINS
from forecasters.types import Series

LAG_S = RATE_WINDOW_S / 2.0
"""From the time that an observed rate tells of to its observation."""
LONGEST_GAP_S = 90.0
"""Between two observations what lies between them is interpolated up to this; a longer gap is one."""


@dataclass(frozen=True, slots=True)
class RecentLoad:
    """Times, ascending, and the load that was observed then."""

    at_s: tuple[float, ...] = ()
    loads: tuple[Load, ...] = ()

    def adding(self, load: Load | None, at_s: float) -> RecentLoad:
        """With one observation; None leaves a gap. One that is not later than the last is left out."""
        if load is None or (self.at_s and at_s <= self.at_s[-1]):
            return self
        first = next(
            (i for i, t in enumerate(self.at_s) if t >= at_s - (MOST_BINS + 1) * RATE_WINDOW_S), len(self.at_s)
        )
        return RecentLoad((*self.at_s[first:], at_s), (*self.loads[first:], load))

    def minutes(self, now_s: float, costs: Sequence[StepCost] = (), cached_share: float = 0.0) -> Series:
        """Requests/s of the minutes that end now and before, oldest first, as far as there is no gap. With `costs`
        those of before are counted by the work that they brought, beside that of a request now; with several, by the
        one of which there was least beside now."""
        rows = self.columns(now_s)
        if not len(rows):
            return Series(now_s, RATE_WINDOW_S, ())
        requests = rows[:, 0]
        shares = [work / work[-1] for work in works(rows, costs, cached_share) if work[-1] > 0]
        if shares and requests[-1] > 0:
            requests = requests[-1] * np.min(shares, axis=0)
        return Series(now_s - RATE_WINDOW_S * len(rows), RATE_WINDOW_S, tuple(requests.tolist()))

    def columns(self, now_s: float) -> Floats:
        """(minutes, 3): requests, prompt tokens and answers' tokens a second in the minutes that end now and before,
        oldest first, as far as there is no gap; no rows where nothing is known of the last."""
        if not self.at_s or now_s - self.at_s[-1] > LONGEST_GAP_S:
            return np.empty((0, 3))
        breaks = np.flatnonzero(np.diff(self.at_s) > LONGEST_GAP_S)
        first = int(breaks[-1]) + 1 if len(breaks) else 0
        count = min(MOST_BINS, int((now_s - self.at_s[first] + 1e-6) // RATE_WINDOW_S) + 1)
        ends_s = now_s - RATE_WINDOW_S * np.arange(count - 1, -1, -1)
        seen = zip(*(rates(load) for load in self.loads[first:]), strict=True)
        return np.stack([np.interp(ends_s, self.at_s[first:], column) for column in seen], axis=1)

    def mean_rps(
        self, now_s: float, length_s: float, costs: Sequence[StepCost], cached_share: float, present: Load | None = None
    ) -> float | None:
        """Requests/s of the kind that comes now, or of `present`, that would bring the mean work of the last
        `length_s`, by the first of `costs`, or as many as came where there is none. None where nothing is known of the
        last minute, or where nothing comes now."""
        rows = self.columns(now_s)[-max(1, round(length_s / RATE_WINDOW_S)) :]
        if not len(rows):
            return None
        now = rows[-1:] if present is None else np.array([rates(present)])
        (before, *_), (unit, *_) = ((*works(some, costs, cached_share), some[:, 0]) for some in (rows, now))
        return float(before.mean() / unit[0] * now[0, 0]) if unit[0] > 0 else None

    def since(self, from_s: float) -> tuple[Load, ...]:
        """The loads that were observed later than `from_s`, oldest first; the newest in any case."""
        first = next((i for i, t in enumerate(self.at_s) if t > from_s), len(self.at_s) - 1)
        return self.loads[max(first, 0) :]


def works(rows: Floats, costs: Sequence[StepCost], cached_share: float) -> list[Floats]:
    """Seconds of work a second in each of `RecentLoad.columns`' minutes, by each of the costs."""
    return [np.array([work_s_per_s(cost, cached_share, *row) for row in rows]) for cost in costs]
