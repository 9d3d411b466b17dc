"""The slow loop: what was missed, beside what the capacity model expected to be missed at that load."""

from __future__ import annotations

from collections.abc import Mapping

from controlplane.domain.decision import Calibration, TargetInputs
from controlplane.domain.observation import VariantObservation
from controlplane.domain.target import Role, Variant
from controlplane.planning.calibration import is_settled, observed_s, with_misses
from controlplane.planning.capacity import expected_misses
from controlplane.planning.demand import observed_demand

COUNTED_FINISHED = 30
"""Finished requests in the window below which a share of misses says nothing."""
EXPECTED_MAX = 0.3
"""A fleet that is expected to miss more is short of replicas, and its misses say nothing of the model's error."""


def with_feedback(inputs: TargetInputs, known: Mapping[str, Calibration]) -> dict[str, Calibration]:
    """The calibrations with the newest observation's misses, where the variant is in a steady state."""
    return {v.name: _one(inputs, v, known[v.name]) for v in inputs.target.variants}


def _one(inputs: TargetInputs, variant: Variant, known: Calibration) -> Calibration:
    seen = inputs.observation.variant(variant.name)
    mix = observed_demand(inputs)
    if seen is None or mix is None or not is_settled(seen) or not seen.arrival_rps:
        return known
    missed = _missed(variant, seen)
    if missed is None:
        return known
    expected = expected_misses(inputs.target, variant, mix, known, seen.arrival_rps / seen.reporting)
    if expected > EXPECTED_MAX:
        return known
    return with_misses(known, missed, expected, observed_s(inputs.target))


def _missed(variant: Variant, seen: VariantObservation) -> float | None:
    """Share of requests that missed a limit of this role: what misses one is taken not to miss the other."""
    ttft = None if variant.role is Role.DECODE else seen.ttft
    tpot = None if variant.role is Role.PREFILL else seen.tpot
    known = [s for s in (ttft, tpot) if s is not None and s.count >= COUNTED_FINISHED]
    return min(1.0, sum(1.0 - s.within_slo for s in known)) if known else None
