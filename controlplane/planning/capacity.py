"""Requests/s that one replica sustains within the SLO.

A busy continuous-batching engine at arrival rate r spends, per second, r*S seconds on its requests' work, with `S =
b*ISL + c*OSL + d*W` and `W = E[OSL*(ISL + OSL/2)]`; the rest are the steps' fixed parts. So its mean step, which is
the mean TPOT, is `a / (1 - r*S)`, and by Little's law its caches hold `r*W*TPOT` tokens and its batch `r*OSL*TPOT`
sequences. KV cache and batch bound r in closed form; TTFT and TPOT bound it by the share of requests that would miss
them (`tails`), which must not exceed what the SLO's attainment leaves.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from controlplane.domain import catalog
from controlplane.domain.decision import Calibration, Capacity, CapacityBound, Demand
from controlplane.domain.target import Role, Slo, Target, Variant
from controlplane.planning.adapters import Crowd
from controlplane.planning.calibration import allowed_misses, learned_cost
from controlplane.planning.queues import Room
from controlplane.planning.roofline import MAX_NUM_SEQS, DoesNotFit, StepCost, kv_capacity_tokens, kv_transfer_s
from controlplane.planning.tails import Mix, decode_misses, hopeless, prefill_misses, whole_misses
from controlplane.planning.whole_request import hopeless_whole, joined, late_share, prompt_limit_s

KV_SHARE = 0.9
"""Share of the KV cache that a whole replica's mean may fill; the rest is for the batch's ups and downs."""
SEQUENCES_SHARE = 0.9
"""The same of a batch that was seen to be full; where none was, the limit is a guess, and replicas differ from it
upwards. With all of it 3 % of the Azure hour's requests wait too long on replicas that take 64 (an independent
simulator), with this 0.5 %."""
UTILISATION_MAX = 0.95
"""Of what the fixed parts of steps leave of an engine's time at the TPOT limit. Above, waiting grows without bound for
a small error in the rate. On the Azure hour 0.92 costs 2 to 4 % more, and 0.97 as much, since its misses are paid
for."""
EDGE = 0.87
EDGE_HORIZON_S = 195.0
EDGE_FALL = 0.035
EDGE_LIMITS = (0.83, 0.92)
"""Of the rate that just keeps a prefill replica busy, or just fills a decode replica's cache or batch. Neither has a
soft edge, as a batch has that slows down: a minute of a tenth too many makes all of them wait, and in a batch that is
busy for 0.66 of its time a tenth more requests are a third more tokens. Who falls short is short for a cold start, in
which the load goes on growing, so it is less by `EDGE_FALL` for each doubling of the horizon. At 435 s 0.87 loses 4 %
of the requests where a mix turns over in an hour; docs/capacity.md has the table."""
CORRECTION_LIMITS = (0.75, 1.25)
"""By which the slow loop may move a capacity: what one bad quarter of an hour seems to say must not buy a fleet."""
BEST_EFFORT_SHARE = 0.6
"""Of an engine's whole throughput that is planned where no rate at all meets the SLO: as fast as it goes without a
queue that grows."""
_HALVINGS = 14
"""Of the interval of rates: one part in sixteen thousand, well below what is known of them."""


def capacity(
    target: Target, variant: Variant, demand: Demand, known: Calibration, horizon_s: float = EDGE_HORIZON_S
) -> Capacity:
    """What one replica of `variant` carries of this mix, given what was learned of it. `horizon_s` is for how many
    seconds who falls short is short.

    Where even an idle replica misses more than the SLO allows, the bound is `INFEASIBLE` and the rate is best effort:
    the work has to be carried all the same. It is 0 only where the model does not fit.
    """
    model, gpu = catalog.model(target.model), catalog.accelerator(variant.accelerator)
    try:
        kv_capacity_tokens(model, gpu, variant.gpus_per_replica)
    except DoesNotFit:
        return Capacity(variant.name, 0.0, CapacityBound.INFEASIBLE, known.ratio)
    cost, mix = learned_cost(target, variant, known), Mix.of(demand)
    most = _throughput(cost, mix, variant.role)
    bounds = _bounds(target, variant, cost, mix, most, known, _edge(horizon_s))
    misses = _misses(target, variant, demand, known)
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
    return Capacity(variant.name, rate, _culprit(target, variant, demand, known, rate), known.ratio)


def expected_misses(
    target: Target, variant: Variant, demand: Demand, known: Calibration, rate: float, slo: Slo | None = None
) -> float:
    """Share of requests that miss their SLO, or `slo`, at `rate` requests/s a replica, by the model alone."""
    return _misses(target, variant, demand, known, slo)(rate)


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


def _bounds(
    target: Target, variant: Variant, cost: StepCost, mix: Mix, most: float, known: Calibration, edge: float
) -> dict[CapacityBound, float]:
    """Rates that are not passed, whatever the tails say."""
    if variant.role is Role.PREFILL:
        return {CapacityBound.TTFT: most * edge}
    latency = most * UTILISATION_MAX * max(0.0, 1.0 - cost.a_s / target.policy.slo.tpot_s)
    room, request_s = _room(target, variant, known), work_s(cost, mix, variant.role)
    edge, kv_tokens = (edge, room.kv_tokens) if variant.role is Role.DECODE else (1.0, room.kv_tokens * KV_SHARE)
    seen_full = variant.role is Role.BOTH and known.sequences is not None

    def batch(sequences: float) -> float:
        places = sequences * SEQUENCES_SHARE if seen_full else sequences
        return edge * places / (cost.a_s * mix.answer_mean + places * request_s)

    bounds = {
        CapacityBound.TPOT: latency,
        CapacityBound.KV: edge * kv_tokens / (cost.a_s * mix.context + kv_tokens * request_s),
        CapacityBound.SEQUENCES: batch(room.sequences),
    }
    crowd = room.crowd
    if crowd is None or crowd.starving <= 1.0 - target.policy.slo.attainment:
        return bounds  # who starves, if any, is among those that may miss: the tail counts them
    return {**bounds, CapacityBound.LORA_SLOTS: batch(crowd.most_sequences())}


def _edge(horizon_s: float) -> float:
    """The share of a hard edge to plan for."""
    doublings = math.log2(max(horizon_s, 1.0) / EDGE_HORIZON_S)
    return min(max(EDGE - EDGE_FALL * doublings, EDGE_LIMITS[0]), EDGE_LIMITS[1])


def _room(target: Target, variant: Variant, known: Calibration, replicas: float = 1.0) -> Room:
    """What one replica holds, in tokens as lengths count them."""
    model, gpu = catalog.model(target.model), catalog.accelerator(variant.accelerator)
    kv_tokens = known.kv_tokens or kv_capacity_tokens(model, gpu, variant.gpus_per_replica)
    return Room(kv_tokens / known.holding, known.sequences or MAX_NUM_SEQS, replicas, Crowd.of(known.lora))


def _misses(
    target: Target, variant: Variant, demand: Demand, known: Calibration, slo: Slo | None = None
) -> Callable[[float], float]:
    """By the rate of one replica; there are as many as carry the demand at that rate."""
    cost, mix, limits = learned_cost(target, variant, known), Mix.of(demand), slo or target.policy.slo

    def replicas(rate: float) -> float:
        return max(1.0, demand.requests_per_s / max(rate, 1e-9))

    match variant.role:
        case Role.PREFILL:
            limit_s = prompt_limit_s(limits) - _transfer_s(target, demand)
            return lambda rate: prefill_misses(cost, mix, rate, limit_s, replicas(rate))
        case Role.DECODE:
            parts = decode_misses
        case _:
            parts = whole_misses

    def share(rate: float) -> float:
        room = _room(target, variant, known, replicas(rate))
        missed = parts(cost, mix, rate, limits, room)
        if limits.e2e_s is None:
            return missed
        return joined(limits, missed, late_share(cost, mix, rate, limits, variant.role, room))

    return share


def _highest(holds: Callable[[float], bool], ceiling: float) -> float:
    """The highest rate up to `ceiling` at which it holds; misses grow with the rate."""
    if not ceiling > 0 or holds(ceiling):
        return ceiling
    low, high = 0.0, ceiling
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _culprit(target: Target, variant: Variant, demand: Demand, known: Calibration, rate: float) -> CapacityBound:
    """Which of the latencies misses most at that rate; of TTFT, whether it is for want of LoRA slots."""
    if variant.role is Role.PREFILL:
        return CapacityBound.TTFT
    slo, never = target.policy.slo, 1e9
    late = _misses(target, variant, demand, known, Slo(slo.ttft_s, never))(rate)
    unhindered = replace(known, lora=None)
    read_late = (
        late if known.lora is None else _misses(target, variant, demand, unhindered, Slo(slo.ttft_s, never))(rate)
    )
    slow = _misses(target, variant, demand, known, Slo(never, slo.tpot_s))(rate)
    cost, mix = learned_cost(target, variant, known), Mix.of(demand)
    if late_share(cost, mix, rate, slo, variant.role, _room(target, variant, known)) > late + slow:
        return CapacityBound.E2E
    if late - read_late > max(read_late, slow):
        return CapacityBound.LORA_SLOTS
    return CapacityBound.TTFT if late > slow else CapacityBound.TPOT


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
