"""Which forecaster to use for a series: the one that would have lost least."""

from __future__ import annotations

from dataclasses import dataclass

from forecasters.backtest import score
from forecasters.registry import FORECASTERS, create
from forecasters.types import Series

PREFERRED = "ensemble"
ADVANTAGE = 0.02
"""Another forecaster must lose at least this share less than the preferred one: ties go to the simplest."""


@dataclass(frozen=True, slots=True)
class Selected:
    """The chosen forecaster, its fitted parameters as JSON text, and every candidate's mean pinball loss (where
    known)."""

    name: str
    state_json: str
    losses: dict[str, float]


def fit_best(series: Series, horizon_s: float) -> Selected:
    """Score every forecaster over `horizon_s`, fit the best on all of `series`.

    Raises:
        NoHistory: if no bin was ever seen.
    """
    scores = {name: score(lambda name=name: create(name), series, horizon_s).pinball for name in FORECASTERS}  # type: ignore[misc]
    losses = {name: loss for name, loss in scores.items() if loss is not None}
    best = min(losses, key=lambda name: losses[name], default=PREFERRED)
    if PREFERRED in losses and losses[best] > losses[PREFERRED] * (1.0 - ADVANTAGE):
        best = PREFERRED
    return Selected(best, fit(best, series), losses)


def fit(name: str, series: Series) -> str:
    """The fitted parameters, as JSON text, of the forecaster of that name on `series`."""
    forecaster = create(name)
    forecaster.fit(series)
    return forecaster.dump()
