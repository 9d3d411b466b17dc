"""What a worker fits for a series: the ensemble, whose weights choose between its members at every bin."""

from __future__ import annotations

from dataclasses import dataclass

from forecasters.ensemble import Ensemble
from forecasters.registry import create
from forecasters.types import Series

PREFERRED = Ensemble.name
"""Used before any fit, and after: a choice of one forecaster by one number a fit would be older than its weights."""


@dataclass(frozen=True, slots=True)
class Selected:
    """The chosen forecaster, its fitted parameters as JSON text, and the recent pinball loss of each member and of the
    whole, in the series' unit (empty while no window was over)."""

    name: str
    state_json: str
    losses: dict[str, float]


def fit_best(series: Series, horizon_s: float) -> Selected:
    """Fit the ensemble to all of `series`, and say what its members have lost over windows of `horizon_s`.

    Raises:
        NoHistory: if no bin was ever seen.
    """
    forecaster = Ensemble()
    forecaster.fit(series)
    forecaster.predict(series.end_s, horizon_s)
    return Selected(PREFERRED, forecaster.dump(), forecaster.losses(horizon_s))


def fit(name: str, series: Series) -> str:
    """The fitted parameters, as JSON text, of the forecaster of that name on `series`."""
    forecaster = create(name)
    forecaster.fit(series)
    return forecaster.dump()
