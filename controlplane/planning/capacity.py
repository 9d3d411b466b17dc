"""Requests/s that one replica sustains within the SLO, in closed form.

A busy continuous-batching engine at arrival rate r spends, per second, r*S seconds on its requests' work, with `S =
b*ISL + c*OSL + d*W` and `W = E[OSL*(ISL + OSL/2)]`; the rest are the steps' fixed parts. So its mean step, which is
the mean TPOT, is `a / (1 - r*S)`, and by Little's law its caches hold `r*W*TPOT` tokens and its batch `r*OSL*TPOT`
sequences. Solving each limit for r gives a bound; the smallest holds. A prefill-only replica is a queue with service
time `a + b*ISL`.
"""

from __future__ import annotations

import math

from controlplane.domain import catalog
from controlplane.domain.decision import Capacity, CapacityBound, Demand
from controlplane.domain.target import Role, Slo, Target, Variant
from controlplane.planning.roofline import (
    MAX_BATCHED_TOKENS,
    MAX_NUM_SEQS,
    DoesNotFit,
    StepCost,
    kv_capacity_tokens,
    kv_transfer_s,
    prior,
)

TPOT_SHARE = 0.6
"""Share of the TPOT limit that the *mean* may take: answers of a few tokens meet a chunk of 2,048 prompt tokens (73
ms on an H100 at 8B), and the slowest percent has about 1.7 times the mean."""
KV_SHARE = 0.9
"""Share of the KV cache that the mean may fill; the rest is for the batch's ups and downs, before preemption."""
UTILISATION_MAX = 0.85
"""Of an engine's time, at the planned peak. Above, waiting grows without bound for a small error in the rate."""
TAIL = math.log(100.0)
"""The 99th percentile of an exponential waiting time, in means."""


def capacity(target: Target, variant: Variant, demand: Demand, calibration: float) -> Capacity:
    """What one replica of `variant` carries of this mix; `calibration` is the factor on the prior's step cost."""
    bounds = _bounds(target, variant, demand, calibration)
    bound = min(bounds, key=lambda b: bounds[b])
    rate = bounds[bound]
    if not rate > 0:
        return Capacity(variant.name, 0.0, CapacityBound.INFEASIBLE, calibration)
    return Capacity(variant.name, rate, bound, calibration)


def _bounds(target: Target, variant: Variant, demand: Demand, calibration: float) -> dict[CapacityBound, float]:
    model, gpu = catalog.model(target.model), catalog.accelerator(variant.accelerator)
    cost = prior(model, gpu, variant.gpus_per_replica).scaled(calibration)
    try:
        kv_tokens = kv_capacity_tokens(model, gpu, variant.gpus_per_replica) * KV_SHARE
    except DoesNotFit:
        return {CapacityBound.INFEASIBLE: 0.0}
    transfer_s = _transfer_s(target, demand) if variant.role is not Role.BOTH else 0.0
    if variant.role is Role.PREFILL:
        return {CapacityBound.TTFT: prefill_rate(cost, demand, target.policy.slo.ttft_s - transfer_s, 0.0)}
    work_s = decode_work_s(cost, demand, with_prefill=variant.role is Role.BOTH)
    bounds = _decode_bounds(cost, demand, target.policy.slo, kv_tokens, work_s)
    if variant.role is Role.BOTH:
        # While a prompt is read the batch decodes too: each of its chunks carries a decode step with it.
        beside_s = target.policy.slo.tpot_s * TPOT_SHARE
        bounds[CapacityBound.TTFT] = prefill_rate(cost, demand, target.policy.slo.ttft_s, beside_s)
    return bounds


def decode_work_s(cost: StepCost, demand: Demand, with_prefill: bool) -> float:
    """S: seconds of work that one request brings, apart from the steps' fixed parts."""
    decode = cost.c_s_per_sequence * demand.output_tokens + cost.d_s_per_token * demand.context_tokens_weighted
    return decode + (cost.b_s_per_token * _uncached(demand) if with_prefill else 0.0)


def _decode_bounds(
    cost: StepCost, demand: Demand, slo: Slo, kv_tokens: float, work_s: float
) -> dict[CapacityBound, float]:
    limit_s = slo.tpot_s * TPOT_SHARE
    context = demand.context_tokens_weighted
    tpot = min((1.0 - cost.a_s / limit_s) / work_s, UTILISATION_MAX / work_s)
    return {
        CapacityBound.TPOT: tpot,
        CapacityBound.KV: kv_tokens / (cost.a_s * context + kv_tokens * work_s),
        CapacityBound.SEQUENCES: MAX_NUM_SEQS / (cost.a_s * demand.output_tokens + MAX_NUM_SEQS * work_s),
    }


def prefill_rate(cost: StepCost, demand: Demand, limit_s: float, beside_s: float) -> float:
    """Requests/s whose 99th percentile of waiting and reading stays within `limit_s`.

    An M/M/1 queue of prompts: the time in it is exponential with mean `s / (1 - rho)`, so `rho <= 1 -
    s*ln(100)/limit`. `s` is the reading of one prompt; `beside_s` is what each of its steps takes for the batch that
    decodes beside it.
    """
    tokens = _uncached(demand)
    steps = max(1.0, tokens / MAX_BATCHED_TOKENS)
    # The fixed part is shared by the prompts that fit into one step together.
    fixed_s = max(cost.a_s, beside_s) * max(tokens / MAX_BATCHED_TOKENS, 1.0 / _TOGETHER)
    service_s = fixed_s + cost.b_s_per_token * tokens
    left_s = limit_s - max(cost.a_s, beside_s) * steps
    if left_s <= 0:
        return 0.0
    return max(0.0, min(UTILISATION_MAX, 1.0 - TAIL * service_s / left_s)) / service_s


_TOGETHER = 4.0
"""At most so many short prompts are taken to share one step: queues of more are what the bound avoids."""


def _uncached(demand: Demand) -> float:
    return demand.input_tokens * (1.0 - demand.cached_share)


def _transfer_s(target: Target, demand: Demand) -> float:
    """The slowest hand-over between the target's roles, seconds."""
    model = catalog.model(target.model)
    senders = {v.accelerator for v in target.variants if v.role is Role.PREFILL}
    receivers = {v.accelerator for v in target.variants if v.role is Role.DECODE}
    return max(
        (
            kv_transfer_s(model, demand.input_tokens, catalog.accelerator(s), catalog.accelerator(r))
            for s in senders
            for r in receivers
        ),
        default=0.0,
    )
