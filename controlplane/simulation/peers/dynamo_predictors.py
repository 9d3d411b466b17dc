"""Dynamo's load predictors (planner/core/load/predictors.py): one interval ahead, a point, one for each series."""

from __future__ import annotations

import warnings
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from statsmodels.tsa.arima.model import ARIMA

LEAST_POINTS = 5
"""Fewer than this and the last value is the forecast."""


class PredictorName(StrEnum):
    """Dynamo's `load_predictor`."""

    CONSTANT = "constant"
    KALMAN = "kalman"
    ARIMA = "arima"


class Predictor(Protocol):
    """One series."""

    def add(self, value: float) -> None:
        """Note an interval's value."""
        ...

    def next(self) -> float:
        """The next interval's value; nought before the first."""
        ...


class Constant:
    """The last value."""

    def __init__(self) -> None:
        self._last = 0.0

    def add(self, value: float) -> None:
        """See `Predictor`."""
        self._last = value

    def next(self) -> float:
        """See `Predictor`."""
        return self._last


class Kalman:
    """A local linear trend with Dynamo's noises: level 1, trend 0.1, measurement 10; 1000 at the start."""

    def __init__(self) -> None:
        self._state: np.ndarray | None = None
        self._error = np.eye(2) * 1000.0
        self._points, self._last = 0, 0.0

    def add(self, value: float) -> None:
        """See `Predictor`. Noughts before the first traffic are dropped."""
        if self._state is None and value == 0.0:
            return
        self._points, self._last = self._points + 1, value
        if self._state is None:
            self._state = np.array([value, 0.0])
            return
        predicted, error = _MOVE @ self._state, _MOVE @ self._error @ _MOVE.T + _DRIFT
        gain = error[:, 0] / (error[0, 0] + _NOISE)
        self._state = predicted + gain * (value - predicted[0])
        self._error = error - np.outer(gain, error[0])

    def next(self) -> float:
        """See `Predictor`."""
        if self._state is None or self._points < LEAST_POINTS:
            return self._last
        return max(0.0, float(self._state.sum()))


_MOVE = np.array([[1.0, 1.0], [0.0, 1.0]])
_DRIFT = np.diag([1.0, 0.1])
_NOISE = 10.0


class Arima:
    """An ARIMA whose order is found once, as soon as there are five points that differ, and kept up to date afterwards.

    Dynamo calls pmdarima's stepwise search; here the order is the one with the least AIC of `ORDERS`.
    """

    def __init__(self) -> None:
        self._values: list[float] = []
        self._fitted: Any = None
        self._log = False

    def add(self, value: float) -> None:
        """See `Predictor`. Noughts before the first traffic are dropped."""
        if not self._values and value == 0.0:
            return
        self._values.append(value)
        if self._fitted is not None:
            self._fitted = self._fitted.extend([self._scaled(value)])
        elif len(self._values) >= LEAST_POINTS and len(set(self._values)) > 1:
            self._fit()

    def next(self) -> float:
        """See `Predictor`."""
        if not self._values:
            return 0.0
        if self._fitted is None:
            return self._values[-1]
        ahead = float(self._fitted.forecast(1)[0])
        value = float(np.expm1(min(ahead, _LOG_MOST))) if self._log else ahead
        return max(0.0, value) if np.isfinite(value) else self._values[-1]

    def _scaled(self, value: float) -> float:
        return float(np.log1p(value)) if self._log else value

    def _fit(self) -> None:
        """A model without any memory is tried again on logarithms, as Dynamo does; without any model the last value
        is the forecast, and the next point tries again."""
        try:
            best = _best(self._values)
            order = best.model.order
            if order[0] == 0 and order[2] == 0:
                best = _best([float(np.log1p(value)) for value in self._values])
                self._log = True
        except (np.linalg.LinAlgError, ValueError):
            return
        self._fitted = best


ORDERS = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0), (0, 1, 1))
"""Orders that five points can tell apart."""
MOST_ITERATIONS = 50
"""Of an estimate: statsmodels' own default, which pmdarima has as well."""
_LOG_MOST = 30.0
"""Beyond e^30 a forecast is no forecast, and expm1 overflows at 710."""


def _best(values: list[float]) -> Any:
    with warnings.catch_warnings():
        # Five points rarely let an estimate converge; the AIC then judges what was found.
        warnings.simplefilter("ignore")
        models = [ARIMA(np.array(values), order=order, trend="c" if order[1] == 0 else "n") for order in ORDERS]
        fits = [model.fit(method_kwargs={"maxiter": MOST_ITERATIONS}) for model in models]
    return min(fits, key=lambda fit: float(fit.aic))


def predictor(name: PredictorName) -> Predictor:
    """A new predictor of that name."""
    if name is PredictorName.KALMAN:
        return Kalman()
    return Arima() if name is PredictorName.ARIMA else Constant()
