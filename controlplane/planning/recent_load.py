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
from forecasters.regimes import MOST_BINS
from forecasters.types import Series

LAG_S = RATE_WINDOW_S / 2.0
"""From the time that an observed rate tells of to its observation."""
LONGEST_GAP_S = 90.0
"""Between two observations what lies between them is interpolated up to this; a longer gap is one."""


@dataclass(frozen=True, slots=True)
class RecentLoad:
    """Times, ascending, and what came then: requests, prompt tokens and answers' tokens a second."""

    at_s: tuple[float, ...] = ()
    rates: tuple[tuple[float, float, float], ...] = ()

    def adding(self, load: Load | None, at_s: float) -> RecentLoad:
        """With one observation; None leaves a gap. One that is not later than the last is left out."""
        if load is None or (self.at_s and at_s <= self.at_s[-1]):
            return self
        first = next(
            (i for i, t in enumerate(self.at_s) if t >= at_s - (MOST_BINS + 1) * RATE_WINDOW_S), len(self.at_s)
        )
        return RecentLoad((*self.at_s[first:], at_s), (*self.rates[first:], rates(load)))

    def minutes(self, now_s: float, costs: Sequence[StepCost] = (), cached_share: float = 0.0) -> Series:
        """Requests/s of the minutes that end now and before, oldest first, as far as there is no gap. With `costs`
        those of before are counted by the work that they brought, beside that of a request now; with several, by the
        one of which there was least beside now."""
        if not self.at_s or now_s - self.at_s[-1] > LONGEST_GAP_S:
            return Series(now_s, RATE_WINDOW_S, ())
        breaks = np.flatnonzero(np.diff(self.at_s) > LONGEST_GAP_S)
        first_s = self.at_s[int(breaks[-1]) + 1] if len(breaks) else self.at_s[0]
        count = min(MOST_BINS, int((now_s - first_s + 1e-6) // RATE_WINDOW_S) + 1)
        ends_s = now_s - RATE_WINDOW_S * np.arange(count - 1, -1, -1)
        requests, prompts, answers = (np.interp(ends_s, self.at_s, column) for column in zip(*self.rates, strict=True))
        rows = list(zip(requests, prompts, answers, strict=True))
        works = [np.array([work_s_per_s(cost, cached_share, *row) for row in rows]) for cost in costs]
        shares = [work / work[-1] for work in works if work[-1] > 0]
        if shares and requests[-1] > 0:
            requests = requests[-1] * np.min(shares, axis=0)
        return Series(now_s - RATE_WINDOW_S * count, RATE_WINDOW_S, tuple(requests.tolist()))
