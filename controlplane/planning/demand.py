"""What has to be carried: the forecast's quantile of the peak, never less than what comes now, and the backlog's
share."""

from __future__ import annotations

from controlplane.domain.decision import Demand, TargetInputs

BACKLOG_DRAIN_S = 120.0
"""A queue is to be gone in two minutes: less would buy replicas that arrive after it is gone, since a cold start is
longer."""
LOW_QUANTILE = 0.5
"""A scale-down must leave enough for the median of the coming peak; the stabilisation window guards the rest."""


def demand(inputs: TargetInputs) -> Demand | None:
    """The demand of one target; None where nothing is known of its load."""
    load = inputs.observation.load
    if load is None:
        return None
    planned, low, source = load.requests_per_s, load.requests_per_s, "reactive"
    if inputs.forecast is not None:
        rates = inputs.forecast.requests_per_s
        planned = max(planned, rates.peak_at(inputs.target.policy.forecast_quantile))
        low = rates.peak_at(LOW_QUANTILE)
        source = f"forecast:{rates.forecaster}"
    backlog_rps = _backlog(inputs) / BACKLOG_DRAIN_S
    return Demand(
        requests_per_s=planned + backlog_rps,
        low_requests_per_s=min(low, planned) + backlog_rps,
        backlog_rps=backlog_rps,
        input_tokens=load.input_tokens,
        output_tokens=load.output_tokens,
        context_tokens_weighted=load.context_tokens_weighted,
        cached_share=load.cached_share,
        source=source,
    )


def _backlog(inputs: TargetInputs) -> float:
    """Requests that wait in the engines' queues; replicas that do not report are taken to have none."""
    return sum(v.waiting or 0.0 for v in inputs.observation.variants)
