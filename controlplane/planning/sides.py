"""What has to be carried where roles are split: each role's own work, at its own peak.

As a mix turns over, prompts grow shorter while answers grow longer: less to read, more to decode, and as many requests
as before. So each role has its forecast, its ramps and its margin, and what both have to carry is told in one demand:
as many requests as the role has whose work grows less, with prompts and answers as long as either role's work says.
"""

from __future__ import annotations

from dataclasses import replace

from controlplane.domain.decision import Demand, Forecast, TargetInputs
from controlplane.planning.acquaintance import Outlook
from controlplane.planning.lengths import with_lengths
from controlplane.planning.roofline import StepCost
from controlplane.planning.work import side_costs, stretch, work_per_request_s

LIMITS = (0.7, 2.5)
"""By which the lengths of what comes may differ from the present ones. Within a cold start of seven minutes answers
grow twofold where a mix turns over in half an hour."""


def demand_of_sides(now: Demand, inputs: TargetInputs, forecast: Forecast, quantile: float) -> Demand:
    """The demand `now` as it may come by the forecasts of both roles' work, at `quantile` where these are believed; its
    lengths make each role's peak. `now` has more requests/s than its backlog's share."""
    coming, cached = now.requests_per_s - now.backlog_rps, forecast.work_cached_share
    reads, decodes = side_costs(inputs.target)
    growths = []
    for cost, side in zip((reads, decodes), forecast.sides, strict=True):
        present = coming * sum(work_per_request_s(cost, now.input_tokens, now.output_tokens, cached))
        outlook = Outlook.of(inputs, coming, forecast.horizon_s, quantile, side)
        growths.append(outlook.peak(side.work_s_per_s, present) / present if present > 0 else 1.0)
    least = min(growths)
    longer = _limited(growths[0] / max(least, 1e-9))
    wordier = _limited(_wordier(now, decodes, longer, growths[1] / max(least, 1e-9), cached))
    return replace(
        with_lengths(now, longer, wordier),
        requests_per_s=coming * least + now.backlog_rps,
    )


def _wordier(now: Demand, cost: StepCost, longer: float, growth: float, cached: float) -> float:
    """The factor on answers that brings so much more decode work a request, beside prompts that are `longer`."""
    wanted = growth * sum(work_per_request_s(cost, now.input_tokens, now.output_tokens, cached))
    square = cost.d_s_per_token * now.output_tokens**2
    plain = (cost.c_s_per_sequence + cost.d_s_per_token * now.input_tokens * longer) * now.output_tokens
    return stretch(plain, square, wanted)


def _limited(factor: float) -> float:
    return min(max(factor, LIMITS[0]), LIMITS[1])
