"""All of them together, each by what it has lost of late."""

from __future__ import annotations

from collections.abc import Sequence

from forecasters.arima import Arima
from forecasters.base import PathForecaster
from forecasters.drift import Drift
from forecasters.holt_winters import HoltWinters
from forecasters.last_value import LastValue
from forecasters.moving_average import MovingAverage
from forecasters.online import OnlineForecaster
from forecasters.quantile_regression import QuantileRegression
from forecasters.seasonal_naive import SeasonalNaive, SeasonalNaiveWeek
from forecasters.smoothing import Smoothing
from forecasters.swing import Rhythm, Swing
from forecasters.theta import Theta
from forecasters.track import REGRESSIONS
from forecasters.types import Series

MEMORIES = (2.0, 4.0, 8.0, 16.0)
"""Of the moving averages, bins: noise asks for a long one, ramps for a short one, and the weights choose."""
DAMPINGS = (0.6, 0.95)
"""Of the swings: a turn within minutes asks for a flat line, a long ramp for a straight one."""
STATISTICAL: tuple[type[PathForecaster], ...] = (Smoothing, Theta, Arima, HoltWinters)
"""Members that come with a fit: without their parameters they are moving averages, which are there already."""


class Ensemble(OnlineForecaster):
    """The online quantile regressions and every forecaster of points, weighted by recent pinball loss, calibrated.

    It needs no fit: a fit adds the statistical members.
    """

    name = "ensemble"

    def __init__(self) -> None:
        super().__init__()
        averages = [MovingAverage(memory) for memory in MEMORIES]
        swings = [Swing(damping) for damping in DAMPINGS]
        naive = [LastValue(), Drift(), SeasonalNaive(), SeasonalNaiveWeek()]
        self._plain: list[PathForecaster] = [*naive, *averages, *swings, Rhythm()]
        self._fitted: dict[str, PathForecaster] = {}

    def losses(self, horizon_s: float) -> dict[str, float]:
        """Recent mean pinball loss of each member and of the ensemble, in the series' unit, at a horizon that was
        predicted of last; empty while no window was over."""
        track = self._track(horizon_s)
        if track is None:
            return {}
        names = [f"{QuantileRegression.name}-{memory:g}" for memory, _ in REGRESSIONS]
        names += [*(member.label for member in self._members()), self.name]
        return dict(zip(names, track.losses(), strict=False))

    def _members(self) -> Sequence[PathForecaster]:
        return (*self._plain, *self._fitted.values())

    def _learn(self, series: Series) -> None:
        self._fitted = {}
        for kind in STATISTICAL:
            member = kind()
            member.fit(series)
            if member.dump() != kind().dump():
                self._fitted[kind.name] = member
        self.forget()

    def _parameters(self) -> dict[str, float]:
        fitted = self._fitted.items()
        return {f"{name}.{key}": value for name, member in fitted for key, value in member.parameters().items()}

    def _restore(self, parameters: dict[str, float]) -> None:
        for kind in STATISTICAL:
            prefix = f"{kind.name}."
            own = {key.removeprefix(prefix): value for key, value in parameters.items() if key.startswith(prefix)}
            if own:
                self._fitted[kind.name] = kind.of(own)
