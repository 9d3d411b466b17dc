"""All of them together, each by what it has lost of late."""

from __future__ import annotations

from collections.abc import Sequence

from forecasters.drift import Drift
from forecasters.last_value import LastValue
from forecasters.online import OnlineForecaster
from forecasters.seasonal_naive import SeasonalNaive, SeasonalNaiveWeek
from forecasters.smoothers import MovingAverage
from forecasters.smoothing import Smoothing
from forecasters.track import Member


class Ensemble(OnlineForecaster):
    """The online quantile regressions and every forecaster of points, weighted by recent pinball loss, calibrated.

    It needs no fit. A fit gives its statistical members their parameters.
    """

    name = "ensemble"

    def __init__(self) -> None:
        super().__init__()
        self._smoothing = Smoothing()

    def _members(self) -> Sequence[Member]:
        plain = (LastValue(), Drift(), MovingAverage(2.0), MovingAverage(4.0), MovingAverage(8.0), MovingAverage(16.0))
        return (*plain, SeasonalNaive(), SeasonalNaiveWeek())
