"""What a forecaster is. It exists when it passes `tests/forecasters/test_conformance.py`."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from typing import ClassVar, Self

from forecasters.errors import quantile_forecast
from forecasters.history import Floats, as_array, filled, windows
from forecasters.types import DEFAULT_LEVELS, QuantileForecast, Series


class Forecaster(ABC):
    """Learns slowly (`fit`, in a worker), looks quickly (`update`, in the tick), and says what comes (`predict`).

    `fit` learns parameters from a long history; `update` takes the newest history, whole or its tail, and replaces the
    one before; without a fit a forecaster uses its documented defaults. The fitted parameters travel as JSON text.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        self._step_s = 60.0
        self._known: Floats | None = None
        self._filled: Floats | None = None

    def fit(self, series: Series) -> None:
        """Learn parameters from `series` and look at it. May take seconds. A short history leaves the defaults."""
        self._learn(series)
        self.update(series)

    def update(self, series: Series) -> None:
        """Look at the newest history; it replaces the one before. Milliseconds.

        Raises:
            NoHistory: if no bin was ever seen.
            ValueError: if a value is negative or not finite.
        """
        known = as_array(series)
        self._filled, self._known, self._step_s = filled(known), known, series.step_s

    def predict(
        self, made_at_s: float, horizon_s: float, levels: tuple[float, ...] = DEFAULT_LEVELS
    ) -> QuantileForecast:
        """Quantiles of the bins in `[made_at_s, made_at_s + horizon_s]`, rounded up to whole bins, and of their
        maximum.

        Raises:
            ValueError: if `horizon_s` is not positive, or nothing was looked at yet.
        """
        if not (horizon_s > 0 and math.isfinite(horizon_s)):
            raise ValueError(f"horizon_s is {horizon_s!r}; allowed: a positive number of seconds")
        if self._filled is None or self._known is None:
            raise ValueError("predict was called before fit or update")
        steps = math.ceil(horizon_s / self._step_s - 1e-9)
        actuals = windows(self._known, steps)
        path, past = self._paths(self._filled, steps, len(actuals))
        return quantile_forecast(self.name, path, past, actuals, made_at_s, self._step_s, levels)

    def dump(self) -> str:
        """The fitted parameters as JSON text."""
        return json.dumps(self._parameters())

    @classmethod
    def load(cls, text: str) -> Self:
        """A forecaster with those parameters; `update` it before `predict`."""
        made = cls()
        made._restore(json.loads(text))
        return made

    @abstractmethod
    def _paths(self, values: Floats, steps: int, origins: int) -> tuple[Floats, Floats]:
        """Point forecasts: (steps,) from the end of `values`, and (origins, steps) from each of its first bins."""

    def _learn(self, series: Series) -> None:  # noqa: B027 (a forecaster without parameters learns nothing)
        """Learn parameters; the default has none."""

    def _parameters(self) -> dict[str, float]:
        return {}

    def _restore(self, parameters: dict[str, float]) -> None:  # noqa: B027
        """Take parameters up again; the default has none."""
