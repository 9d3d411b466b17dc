"""What a fleet promises: how much of the load that may come finds room on it within the SLO."""

from __future__ import annotations

from collections.abc import Mapping

from controlplane.domain.decision import Tick
from controlplane.planning.allocation import carried

STEPS = 100
"""Points of the forecast's distribution that are looked at: a step of one percent is finer than its levels."""


def promised_rps(tick: Tick, replicas: Mapping[str, int]) -> float | None:
    """Requests/s that a fleet carries within the SLO, by the tick's capacities; None where they are not known."""
    rates = {c.variant: c.requests_per_s for c in tick.plan.capacities}
    if not rates:
        return None
    target = tick.inputs.target
    return carried(target.variants, replicas, lambda v: rates.get(v.name, 0.0), target.policy.routing)


def promised_attainment(tick: Tick, replicas: Mapping[str, int]) -> float | None:
    """The share of requests at the expected peak that find room within the SLO.

    That is the mean of min(1, carried / peak) over the forecast's peaks, or over the load that is seen where there is
    no forecast; None where neither is known. It sees no queue and no tail: it compares fleets, and promises little.
    """
    carries = promised_rps(tick, replicas)
    peaks = _peaks(tick)
    if carries is None or not peaks:
        return None
    return sum(1.0 if peak <= carries else carries / peak for peak in peaks) / len(peaks)


def _peaks(tick: Tick) -> list[float]:
    """Equally likely peaks, requests/s."""
    if tick.inputs.forecast is not None:
        rates = tick.inputs.forecast.requests_per_s
        return [rates.peak_at((place + 0.5) / STEPS) for place in range(STEPS)]
    load = tick.inputs.observation.load
    return [] if load is None else [load.requests_per_s]
