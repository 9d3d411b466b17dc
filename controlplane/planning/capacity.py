"""Requests/s that one replica sustains within the SLO.

A busy continuous-batching engine at arrival rate r spends, per second, r*S seconds on its requests' work, with `S =
b*ISL + c*OSL + d*W` and `W = E[OSL*(ISL + OSL/2)]`; the rest are the steps' fixed parts. So its mean step, which is
the mean TPOT, is `a / (1 - r*S)`, and by Little's law its caches hold `r*W*TPOT` tokens and its batch `r*OSL*TPOT`
sequences. KV cache and batch bound r in closed form; TTFT and TPOT bound it by the share of requests that would miss
them (`tails`), which must not exceed what the SLO's attainment leaves.
"""

from __future__ import annotations

from collections.abc import Callable

from controlplane.domain import catalog
from controlplane.domain.decision import Calibration, Capacity, CapacityBound, Demand
from controlplane.domain.target import Role, Slo, Target, Variant
from controlplane.planning.calibration import allowed_misses, learned_cost
from controlplane.planning.roofline import MAX_NUM_SEQS, DoesNotFit, StepCost, kv_capacity_tokens, kv_transfer_s
from controlplane.planning.tails import Mix, decode_misses, hopeless, prefill_misses, whole_misses
from controlplane.planning.whole_request import hopeless_whole, joined, late_share, prompt_limit_s

KV_SHARE = 0.9
"""Share of the KV cache that the mean may fill; the rest is for the batch's ups and downs, before preemption."""
UTILISATION_MAX = 0.92
"""Of what the fixed parts of steps leave of an engine's time at the TPOT limit. Above, waiting grows without bound for
a small error in the rate."""
READING_MAX = 0.8
"""Of the time of a replica that reads prompts alone: its queue has no soft edge, as a batch has that slows down."""
CORRECTION_LIMITS = (0.75, 1.25)
"""By which the slow loop may move a capacity: what one bad quarter of an hour seems to say must not buy a fleet."""
BEST_EFFORT_SHARE = 0.6
"""Of an engine's whole throughput that is planned where no rate at all meets the SLO: as fast as it goes without a
queue that grows."""
_HALVINGS = 14
"""Of the interval of rates: one part in sixteen thousand, well below what is known of them."""


def capacity(target: Target, variant: Variant, demand: Demand, known: Calibration) -> Capacity:
    """What one replica of `variant` carries of this mix, given what was learned of it.

    Where even an idle replica misses more than the SLO allows, the bound is `INFEASIBLE` and the rate is best effort:
    the work has to be carried all the same. It is 0 only where the model does not fit.
    """
    model, gpu = catalog.model(target.model), catalog.accelerator(variant.accelerator)
    try:
        kv_tokens = kv_capacity_tokens(model, gpu, variant.gpus_per_replica) * KV_SHARE
    except DoesNotFit:
        return Capacity(variant.name, 0.0, CapacityBound.INFEASIBLE, known.ratio)
    if known.kv_tokens:
        kv_tokens = known.kv_tokens * KV_SHARE
    cost, mix = learned_cost(target, variant, known), Mix.of(demand)
    most = _throughput(cost, mix, variant.role)
    if variant.role is Role.PREFILL:
        bounds = {CapacityBound.TTFT: most * READING_MAX}
    else:
        bounds = {CapacityBound.TPOT: most * UTILISATION_MAX}
        bounds.update(_memory_bounds(cost, mix, kv_tokens / known.holding, work_s(cost, mix, variant.role)))
        bounds[CapacityBound.TPOT] *= max(0.0, 1.0 - cost.a_s / target.policy.slo.tpot_s)
    misses = _misses(target, variant, demand, cost, mix)
    budget = 1.0 - target.policy.slo.attainment
    ceiling = min(bounds.values())
    plain = _highest(lambda r: misses(r) <= budget, ceiling)
    allowed = allowed_misses(known, budget)
    rate = _highest(lambda r: misses(r) <= allowed, ceiling)
    rate = min(max(rate, plain * CORRECTION_LIMITS[0]), plain * CORRECTION_LIMITS[1])
    if rate >= ceiling * 0.999 and ceiling > 0:
        return Capacity(variant.name, ceiling, min(bounds, key=lambda b: bounds[b]), known.ratio)
    if rate <= ceiling * 1e-3:
        return Capacity(variant.name, most * BEST_EFFORT_SHARE, CapacityBound.INFEASIBLE, known.ratio)
    return Capacity(variant.name, rate, _culprit(cost, mix, rate, target.policy.slo, variant.role), known.ratio)


def expected_misses(target: Target, variant: Variant, demand: Demand, known: Calibration, rate: float) -> float:
    """Share of requests that miss their SLO at `rate` requests/s a replica, by the model alone."""
    cost, mix = learned_cost(target, variant, known), Mix.of(demand)
    return _misses(target, variant, demand, cost, mix)(rate)


def hopeless_share(target: Target, variant: Variant, demand: Demand, known: Calibration) -> float:
    """Share of requests that even an idle replica cannot serve in time: whose prompt, or whose whole."""
    cost, mix, slo = learned_cost(target, variant, known), Mix.of(demand), target.policy.slo
    whole = hopeless_whole(cost, mix, slo, variant.role)
    return whole if variant.role is Role.DECODE else max(whole, hopeless(cost, mix, prompt_limit_s(slo)))


def steady_batch(target: Target, variant: Variant, demand: Demand, known: Calibration, rate: float) -> float:
    """Sequences in the batch at `rate` requests/s a replica, by Little's law; infinite where it is overloaded."""
    cost, mix = learned_cost(target, variant, known), Mix.of(demand)
    left = 1.0 - rate * work_s(cost, mix, variant.role)
    return rate * mix.answer_mean * cost.a_s / left if left > 0 else float("inf")


def work_s(cost: StepCost, mix: Mix, role: Role) -> float:
    """S: seconds of work that one request brings, apart from the steps' fixed parts."""
    reading = 0.0 if role is Role.DECODE else mix.reading_s(cost)
    return reading + (0.0 if role is Role.PREFILL else mix.decoding_s(cost))


def _throughput(cost: StepCost, mix: Mix, role: Role) -> float:
    """Requests/s of an engine that never pauses, without a thought for latency."""
    fixed_s = cost.a_s * mix.prompt_mean / 2048.0 if role is Role.PREFILL else 0.0
    return 1.0 / (work_s(cost, mix, role) + fixed_s)


def _memory_bounds(cost: StepCost, mix: Mix, kv_tokens: float, request_s: float) -> dict[CapacityBound, float]:
    return {
        CapacityBound.KV: kv_tokens / (cost.a_s * mix.context + kv_tokens * request_s),
        CapacityBound.SEQUENCES: MAX_NUM_SEQS / (cost.a_s * mix.answer_mean + MAX_NUM_SEQS * request_s),
    }


def _misses(target: Target, variant: Variant, demand: Demand, cost: StepCost, mix: Mix) -> Callable[[float], float]:
    slo = target.policy.slo
    match variant.role:
        case Role.PREFILL:
            limit_s = prompt_limit_s(slo) - _transfer_s(target, demand)
            return lambda rate: prefill_misses(cost, mix, rate, limit_s)
        case Role.DECODE:
            parts = decode_misses
        case _:
            parts = whole_misses
    if slo.e2e_s is None:
        return lambda rate: parts(cost, mix, rate, slo)
    return lambda rate: joined(slo, parts(cost, mix, rate, slo), late_share(cost, mix, rate, slo, variant.role))


def _highest(holds: Callable[[float], bool], ceiling: float) -> float:
    """The highest rate up to `ceiling` at which it holds; misses grow with the rate."""
    if not ceiling > 0 or holds(ceiling):
        return ceiling
    low, high = 0.0, ceiling
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _culprit(cost: StepCost, mix: Mix, rate: float, slo: Slo, role: Role) -> CapacityBound:
    """Which of the latencies misses most at that rate."""
    if role is Role.PREFILL:
        return CapacityBound.TTFT
    if role is Role.DECODE:
        late = late_share(cost, mix, rate, slo, role)
        return CapacityBound.E2E if late > decode_misses(cost, mix, rate, slo) else CapacityBound.TPOT
    if late_share(cost, mix, rate, slo, role) > whole_misses(cost, mix, rate, slo):
        return CapacityBound.E2E
    never = 1e9
    late = whole_misses(cost, mix, rate, Slo(slo.ttft_s, never))
    return CapacityBound.TTFT if late > whole_misses(cost, mix, rate, Slo(never, slo.tpot_s)) else CapacityBound.TPOT


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
