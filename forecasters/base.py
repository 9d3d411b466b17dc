"""What a forecaster is. It exists when it passes `tests/forecasters/test_conformance.py`."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from forecasters.errors import MAX_ORIGINS, Quantiles, empirical
from forecasters.history import Floats, as_array, filled, windows
from forecasters.types import DEFAULT_LEVELS, QuantileForecast, Series

LEAST_ELAPSED_S = 15.0
"""A bin that has just begun holds at least one observation of about this length."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A history as a forecaster looks at it. `known` has NaN in gaps, `filled` has none; `full` bins are over, and the
    one after them, where there is one, is over to the share `share`."""

    known: Floats
    filled: Floats
    step_s: float
    start_s: float
    full: int
    share: float


class Forecaster(ABC):
    """Learns slowly (`fit`, in a worker), looks quickly (`update`, in the tick), and says what comes (`predict`).

    `fit` learns parameters from a long history; `update` takes the newest history, whole or its tail, and replaces the
    one before; without a fit a forecaster uses its documented defaults. The fitted parameters travel as JSON text.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        self._step_s = 60.0
        self._start_s = 0.0
        self._known: Floats | None = None
        self._filled: Floats | None = None

    def fit(self, series: Series) -> None:
        """Learn parameters from `series` and look at it. May take seconds. A short history leaves the defaults."""
        self._step_s = series.step_s
        self._learn(series)
        self.update(series)

    def update(self, series: Series) -> None:
        """Look at the newest history; it replaces the one before. Milliseconds.

        Raises:
            NoHistory: if no bin was ever seen.
            ValueError: if a value is negative or not finite.
        """
        known = as_array(series)
        self._filled, self._known = filled(known), known
        self.place(series.start_s, series.step_s)

    def predict(
        self, made_at_s: float, horizon_s: float, levels: tuple[float, ...] = DEFAULT_LEVELS
    ) -> QuantileForecast:
        """Quantiles of the bins in `[made_at_s, made_at_s + horizon_s]`, rounded up to whole bins, and of their
        maximum. A last bin that `made_at_s` falls into is taken for what it is: not over yet.

        Raises:
            ValueError: if `horizon_s` is not positive, or nothing was looked at yet.
        """
        if not (horizon_s > 0 and math.isfinite(horizon_s)):
            raise ValueError(f"horizon_s is {horizon_s!r}; allowed: a positive number of seconds")
        if self._filled is None or self._known is None:
            raise ValueError("predict was called before fit or update")
        full, share = self._elapsed(made_at_s, len(self._known))
        seen = Seen(self._known, self._filled, self._step_s, self._start_s, full, share)
        made = self._quantiles(seen, self._steps(horizon_s), levels)
        # The maximum of a window is never below any of its bins, whatever the errors' sampling says.
        peak = np.maximum.accumulate(np.maximum(made.peak, made.steps.max(axis=0)))
        return QuantileForecast(
            made_at_s=made_at_s,
            step_s=self._step_s,
            levels=levels,
            values=tuple(tuple(step) for step in made.steps.tolist()),
            peak=tuple(peak.tolist()),
            forecaster=self.name,
        )

    def ahead(self, values: Floats, first: int, steps: int) -> Floats:
        """Point forecasts (len(values) - first, steps) from each of `values[first:]`, knowing nothing after it.

        Raises:
            NotImplementedError: if this forecaster has no point forecasts.
        """
        raise NotImplementedError(f"{self.name} has no point forecasts")

    def dump(self) -> str:
        """The fitted parameters as JSON text."""
        return json.dumps(self.parameters())

    def parameters(self) -> dict[str, float]:
        """The fitted parameters by name."""
        return self._parameters()

    @classmethod
    def of(cls, parameters: dict[str, float]) -> Self:
        """A forecaster with those parameters; `update` it before `predict`."""
        made = cls()
        made._restore(parameters)
        return made

    def place(self, start_s: float, step_s: float) -> None:
        """Where in time the values lie that `ahead` is given, for those who ask without `update`."""
        self._start_s, self._step_s = start_s, step_s

    @classmethod
    def load(cls, text: str) -> Self:
        """A forecaster with those parameters; `update` it before `predict`."""
        return cls.of(json.loads(text))

    @abstractmethod
    def _quantiles(self, seen: Seen, steps: int, levels: tuple[float, ...]) -> Quantiles:
        """Quantiles of the next `steps` bins and of their maximum."""

    def _learn(self, series: Series) -> None:  # noqa: B027 (a forecaster without parameters learns nothing)
        """Learn parameters; the default has none."""

    def _parameters(self) -> dict[str, float]:
        return {}

    def _restore(self, parameters: dict[str, float]) -> None:  # noqa: B027
        """Take parameters up again; the default has none."""

    def _steps(self, horizon_s: float) -> int:
        """Whole bins that cover the horizon."""
        return math.ceil(horizon_s / self._step_s - 1e-9)

    def _elapsed(self, made_at_s: float, bins: int) -> tuple[int, float]:
        """Full bins, and how much of the last one is over. A history of one bin that has begun counts as full."""
        elapsed_s = made_at_s - (self._start_s + (bins - 1) * self._step_s)
        if bins < 2 or not 0.0 <= elapsed_s < self._step_s:
            return bins, 0.0
        return bins - 1, max(elapsed_s, min(LEAST_ELAPSED_S, self._step_s)) / self._step_s


class PathForecaster(Forecaster):
    """A forecaster of points: its quantiles are what its points have been wrong by, over as many steps."""

    @property
    def label(self) -> str:
        """The name, and what tells two of a name apart."""
        return self.name

    @abstractmethod
    def ahead(self, values: Floats, first: int, steps: int) -> Floats:
        """Point forecasts (len(values) - first, steps) from each of `values[first:]`, knowing nothing after it."""

    def _quantiles(self, seen: Seen, steps: int, levels: tuple[float, ...]) -> Quantiles:
        last = seen.full - 1
        oldest = min(max(seen.full - steps - MAX_ORIGINS, self._oldest_like_now(last), 0), last)
        paths = self.ahead(seen.filled, oldest, steps)
        actuals = windows(seen.known[: seen.full], steps)[oldest:]
        last -= oldest
        made = empirical(paths[last], paths[: len(actuals)], actuals, levels)
        if seen.share:
            # Between the forecast from the last full bin and the one from this bin, were it over as it began.
            made = made.towards(empirical(paths[last + 1], paths[: len(actuals)], actuals, levels), seen.share)
        return made

    def _oldest_like_now(self, last: int) -> int:  # noqa: ARG002 (the default does not look)
        """The oldest bin whose errors are like those of a forecast made at bin `last`."""
        return 0
