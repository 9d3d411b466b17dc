"""The slow loops: what was missed, beside what the capacity model expected, and of the SLO's error budget.

Prompts that even an idle replica cannot read in time are left out of both: no decision of ours helps them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from controlplane.domain.decision import Calibration, Demand, Memory, TargetInputs
from controlplane.domain.observation import LatencySummary, VariantObservation
from controlplane.domain.target import Role, Variant
from controlplane.planning.calibration import MINUTE_S, is_settled, observed_s, with_misses
from controlplane.planning.capacity import expected_misses, hopeless_share, steady_batch
from controlplane.planning.demand import observed_demand

COUNTED_FINISHED = 30
"""Finished requests in the window below which a share of misses says nothing."""
EXPECTED_MAX = 0.1
"""A fleet that is expected to miss more is short of replicas, and its misses say nothing of the model's error."""
BEHIND = 1.5
BEHIND_REQUESTS = 5.0
"""A batch half as large again as the rate explains, and a few requests more, is not a steady one."""
CATCHING_UP = 0.03
CATCHING_UP_DEVIATIONS = 3.0
"""Nor is one that finishes so much more than arrives, and so many standard deviations of the window's count more: what
it finishes came while it was short, and its misses are that shortage's."""
HOPELESS_ERROR = 0.3
"""Relative error of the share of hopeless prompts: buckets of lengths are wide. So much of it may be avoidable, and is
not counted."""
BUDGET_MEMORY_S = 3600.0
"""The error budget is kept over about an hour: what a burst cost is paid back by the hour after it."""
MOST_BUDGETS = 5.0
"""The most that one window may spend, in budgets: a few minutes without enough replicas are no reason to pay for more
than enough all the hour after."""
_NEVER_S = 1e9
"""A limit that nothing misses."""


def with_feedback(inputs: TargetInputs, known: Mapping[str, Calibration]) -> dict[str, Calibration]:
    """The calibrations with the newest observation's misses, where the variant is in a steady state."""
    mix = observed_demand(inputs)
    if mix is None:
        return dict(known)
    return {v.name: _one(inputs, v, mix, known[v.name]) for v in inputs.target.variants}


def with_budget(inputs: TargetInputs, known: Mapping[str, Calibration], memory: Memory) -> Memory:
    """The memory with the newest observation's share of the error budget."""
    mix, seconds = observed_demand(inputs), observed_s(inputs.target)
    keep, budget = math.exp(-seconds / BUDGET_MEMORY_S), 1.0 - inputs.target.policy.slo.attainment
    missed, finished = memory.missed_requests * keep, memory.finished_requests * keep
    for variant in inputs.target.variants if mix is not None else ():
        seen = inputs.observation.variant(variant.name)
        share = None if seen is None or mix is None else _avoidable(inputs, variant, seen, mix, known[variant.name])
        if seen is None or share is None or not seen.finished_rps:
            continue
        missed += min(share, MOST_BUDGETS * budget) * seen.finished_rps * seconds
        # A request that is split is finished once, on the decode side.
        finished += 0.0 if variant.role is Role.PREFILL else seen.finished_rps * seconds
    return replace(memory, missed_requests=missed, finished_requests=finished)


def _one(inputs: TargetInputs, variant: Variant, mix: Demand, known: Calibration) -> Calibration:
    seen = inputs.observation.variant(variant.name)
    if seen is None or not is_settled(seen) or not seen.arrival_rps:
        return known
    missed = _avoidable(inputs, variant, seen, mix, known)
    expected = expected_misses(inputs.target, variant, mix, known, seen.each(seen.arrival_rps))
    if missed is None or expected > EXPECTED_MAX or _is_behind(inputs, variant, seen, mix, known):
        return known
    if hopeless_share(inputs.target, variant, mix, known) > 1.0 - inputs.target.policy.slo.attainment:
        return known  # what is avoidable drowns in what is not
    budget = 1.0 - inputs.target.policy.slo.attainment
    share = min(1.0, budget / expected) if expected > 0 and _is_beside_others(inputs, variant) else 1.0
    most = expected + MOST_BUDGETS * budget
    return with_misses(known, share * min(missed, most), share * expected, observed_s(inputs.target))


def _is_beside_others(inputs: TargetInputs, variant: Variant) -> bool:
    """Whether another variant of its role serves. A router that sends each replica as many requests as
    any other overloads the slower kind, whose misses then are what its rate explains, and no reason to think less of
    it: they count as at a rate at which the budget is what is expected."""
    peers = (v for v in inputs.target.variants if v.role is variant.role and v.name != variant.name)
    seen = (inputs.observation.variant(peer.name) for peer in peers)
    return any(one is not None and one.ready > 0 for one in seen)


def _is_behind(
    inputs: TargetInputs, variant: Variant, seen: VariantObservation, mix: Demand, known: Calibration
) -> bool:
    """Whether its batches are larger than the rate alone explains (Little): it works off what came before."""
    if variant.role is Role.PREFILL or not seen.running or not seen.arrival_rps:
        return False
    if _is_catching_up(seen.arrival_rps, seen.finished_rps):
        return True
    steady = steady_batch(inputs.target, variant, mix, known, seen.each(seen.arrival_rps))
    return seen.running / seen.reporting > BEHIND * steady + BEHIND_REQUESTS


def _is_catching_up(arrival_rps: float, finished_rps: float | None) -> bool:
    noise = CATCHING_UP_DEVIATIONS * math.sqrt(arrival_rps / MINUTE_S)
    return finished_rps is not None and finished_rps > arrival_rps * (1.0 + CATCHING_UP) + noise


def _avoidable(
    inputs: TargetInputs, variant: Variant, seen: VariantObservation, mix: Demand, known: Calibration
) -> float | None:
    """Share of requests that missed a limit of this role and need not have: what misses TTFT is taken not to miss TPOT,
    and both to miss the whole where that is limited. None where too few finished."""
    ttft = None if variant.role is Role.DECODE else _counted(seen.ttft)
    tpot = None if variant.role is Role.PREFILL else _counted(seen.tpot)
    shares = [s for s in (ttft, tpot) if s is not None]
    whole = None if variant.role is Role.PREFILL else _counted(seen.e2e)
    late = 1.0 - whole.within_slo if whole is not None else 0.0
    if not shares and not late:
        return None
    lost = hopeless_share(inputs.target, variant, mix, known)
    missed = max(late, sum(1.0 - s.within_slo for s in shares)) - lost * (1.0 + HOPELESS_ERROR)
    untold = _untold(inputs, variant, seen, mix, known) if len(shares) == 1 else 0.0
    return min(1.0, max(0.0, missed) / max(1.0 - lost, 1e-9) + untold)


def _counted(latency: LatencySummary | None) -> LatencySummary | None:
    return latency if latency is not None and latency.count >= COUNTED_FINISHED else None


def _untold(inputs: TargetInputs, variant: Variant, seen: VariantObservation, mix: Demand, known: Calibration) -> float:
    """Share that missed a limit of which the pages do not tell: as many as the model expects, no more and no fewer.

    Triton tells nothing of TPOT, TGI no TTFT. Half of the misses beside all of the expected ones would say
    that the model is too careful, and buy too little.
    """
    if variant.role is not Role.BOTH or not seen.arrival_rps:
        return 0.0
    rest = replace(inputs.target.policy.slo, e2e_s=None)
    rest = replace(rest, tpot_s=_NEVER_S) if _counted(seen.tpot) else replace(rest, ttft_s=_NEVER_S)
    return expected_misses(inputs.target, variant, mix, known, seen.each(seen.arrival_rps), rest)
