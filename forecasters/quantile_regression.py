"""Quantiles of the coming maximum, learned online from the last minutes' and hours' trends."""

from __future__ import annotations

from forecasters.online import OnlineForecaster


class QuantileRegression(OnlineForecaster):
    """Two online regressions, one of a short memory and one of a long, weighted by their recent pinball loss and
    calibrated; see `quantile_learner` and `trend`."""

    name = "quantile-regression"
