"""What became of a decision: whether its forecast held, and whether the SLO was met until its horizon."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from controlplane.domain.decision import Forecast, Tick
from controlplane.planning.load_history import BIN_S


@dataclass(frozen=True, slots=True)
class ForecastOutcome:
    """A forecast's peak against the one that came. Requests/s; `quantiles` by level."""

    expected_peak_rps: dict[str, float]
    realised_peak_rps: float | None
    """The highest minute's mean of what later ticks saw within the horizon, since forecasts are of minutes; None where
    none saw a load."""
    realised_quantile: float | None
    """The lowest level of the forecast that covered it; None where it went above all, or is not known."""
    held: bool | None
    """Whether what was planned for covered it; None while that is not known."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What later ticks say of a decision, from its time to `until_s`. `complete` False: the horizon is not over yet, or
    its last ticks are missing."""

    until_s: float
    ticks: int
    complete: bool
    forecast: ForecastOutcome | None
    attainment: float | None
    """Share of requests that met the SLO, weighted by load; None where no request finished."""
    slo_met: bool | None
    sentence: str


def later_outcome(tick: Tick, later: Sequence[Tick]) -> Outcome:
    """What the ticks after `tick` (oldest first, of the same target) say of it.

    The window is the forecast's horizon; without a forecast the slowest cold start and one interval, which is what the
    decision had to look ahead.
    """
    until_s = tick.at_s + _horizon_s(tick)
    inside = [one for one in later if tick.at_s < one.at_s <= until_s]
    interval_s = tick.inputs.target.policy.interval_s
    complete = any(one.at_s > until_s - interval_s for one in later)
    forecast = None if tick.inputs.forecast is None else _forecast(tick, tick.inputs.forecast, inside, complete)
    attainment = _attainment(inside)
    met = None if attainment is None else attainment >= tick.inputs.target.policy.slo.attainment
    words = _words(tick, inside, complete, forecast, attainment)
    return Outcome(until_s, len(inside), complete, forecast, attainment, met, words)


def _horizon_s(tick: Tick) -> float:
    if tick.inputs.forecast is not None:
        return tick.inputs.forecast.horizon_s
    starts = [start.p90_s for start in tick.inputs.cold_starts.values()]
    return max(starts, default=0.0) + tick.inputs.target.policy.interval_s


def _forecast(tick: Tick, forecast: Forecast, inside: Sequence[Tick], complete: bool) -> ForecastOutcome:
    rates = forecast.requests_per_s
    expected = {f"p{100 * level:g}": peak for level, peak in zip(rates.levels, rates.peak, strict=True)}
    peak = max(_minutes(inside), default=None)
    if peak is None:
        return ForecastOutcome(expected, None, None, None)
    covered = next((level for level, most in zip(rates.levels, rates.peak, strict=True) if most >= peak), None)
    planned = tick.plan.demand.requests_per_s if tick.plan.demand else rates.peak_at(0.9)
    # Above what was planned is known at once; below it only when the whole horizon is over.
    held = False if peak > planned else (True if complete else None)
    return ForecastOutcome(expected, peak, covered, held)


def _minutes(inside: Sequence[Tick]) -> list[float]:
    """The mean load of each minute that was seen, requests/s."""
    seen: dict[int, list[float]] = {}
    for one in inside:
        load = one.inputs.observation.load
        if load is not None:
            seen.setdefault(math.floor(one.at_s / BIN_S), []).append(load.requests_per_s)
    return [fmean(rates) for rates in seen.values()]


def _attainment(inside: Sequence[Tick]) -> float | None:
    seen = [
        (o.attainment, o.load.requests_per_s)
        for o in (one.inputs.observation for one in inside)
        if o.attainment is not None and o.load is not None and o.load.requests_per_s > 0
    ]
    weight = sum(rate for _, rate in seen)
    return sum(share * rate for share, rate in seen) / weight if weight > 0 else None


def _words(
    tick: Tick, inside: Sequence[Tick], complete: bool, forecast: ForecastOutcome | None, attainment: float | None
) -> str:
    if not inside:
        return "Later: no decision was recorded within the horizon yet."
    said = []
    if forecast is not None and forecast.realised_peak_rps is not None:
        which = (
            "above every quantile"
            if forecast.realised_quantile is None
            else f"within the {forecast.realised_quantile:.0%} quantile"
        )
        planned = f", {tick.plan.demand.requests_per_s:.2f} was planned for" if tick.plan.demand else ""
        said.append(f"the peak was {forecast.realised_peak_rps:.2f} requests/s, {which}{planned}")
    if attainment is not None:
        goal = tick.inputs.target.policy.slo.attainment
        said.append(f"{attainment:.2%} met the SLO ({goal:.1%} is wanted)")
    sofar = "" if complete else " so far"
    return f"Later{sofar}: {'; '.join(said) or 'the load was not known'}."
