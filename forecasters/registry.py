"""Every forecaster by its name; a new one is added here, and the conformance suite finds it."""

from __future__ import annotations

from forecasters.arima import Arima
from forecasters.base import Forecaster
from forecasters.drift import Drift
from forecasters.ensemble import Ensemble
from forecasters.holt_winters import HoltWinters
from forecasters.last_value import LastValue
from forecasters.moving_average import MovingAverage
from forecasters.quantile_regression import QuantileRegression
from forecasters.seasonal_naive import SeasonalNaive, SeasonalNaiveWeek
from forecasters.smoothing import Smoothing
from forecasters.swing import Rhythm, Swing
from forecasters.theta import Theta

KINDS: tuple[type[Forecaster], ...] = (
    LastValue,
    Drift,
    SeasonalNaive,
    SeasonalNaiveWeek,
    MovingAverage,
    Swing,
    Rhythm,
    Smoothing,
    Theta,
    Arima,
    HoltWinters,
    QuantileRegression,
    Ensemble,
)
"""From the simplest to the best."""
FORECASTERS: dict[str, type[Forecaster]] = {kind.name: kind for kind in KINDS}


def create(name: str) -> Forecaster:
    """A forecaster of that name with its defaults.

    Raises:
        KeyError: naming those that there are.
    """
    return _class(name)()


def restore(name: str, text: str) -> Forecaster:
    """A forecaster of that name with the parameters that `dump` gave.

    Raises:
        KeyError: naming the forecasters that there are.
    """
    return _class(name).load(text)


def _class(name: str) -> type[Forecaster]:
    if name not in FORECASTERS:
        raise KeyError(f"forecaster {name!r} is unknown; allowed: {', '.join(FORECASTERS)}")
    return FORECASTERS[name]
