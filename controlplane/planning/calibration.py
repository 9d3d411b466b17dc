"""From the prior to what the engines show: one factor per variant on the roofline's step time, learned as they run."""

from __future__ import annotations

from collections.abc import Mapping

from controlplane.domain import catalog
from controlplane.domain.decision import Calibration, TargetInputs
from controlplane.domain.observation import Load, VariantObservation
from controlplane.domain.target import Role, Target, Variant
from controlplane.planning.roofline import prior

MEMORY_S = 900.0
"""Evidence older than a quarter of an hour fades: the mix of requests, and with it the error of the prior, drifts."""
RATIO_LIMITS = (0.5, 2.5)
"""A roofline prior is right within these; beyond them the page is doubted, not the physics."""
PRIOR_WEIGHT_S = 60.0
"""The prior counts as a minute of evidence."""
PRIOR = Calibration(1.0, 0.0)


def calibrations(inputs: TargetInputs) -> dict[str, Calibration]:
    """The target's factors, brought up to date with the newest observation."""
    before = inputs.memory.calibrations
    updated: dict[str, Calibration] = {}
    for variant in inputs.target.variants:
        seen = inputs.observation.variant(variant.name)
        ratio = None if seen is None else _ratio(inputs.target, variant, seen, inputs.observation.load)
        updated[variant.name] = _blend(before.get(variant.name, PRIOR), ratio, inputs.target.policy.interval_s)
    return updated


def factor(calibrations: Mapping[str, Calibration], variant: str) -> float:
    """The factor to plan with: the learned ratio, drawn to 1 by the prior's weight."""
    known = calibrations.get(variant, PRIOR)
    return (known.ratio * known.weight + PRIOR_WEIGHT_S) / (known.weight + PRIOR_WEIGHT_S)


def _blend(before: Calibration, ratio: float | None, seconds: float) -> Calibration:
    if ratio is None:
        return before
    bounded = min(max(ratio, RATIO_LIMITS[0]), RATIO_LIMITS[1])
    weight = min(before.weight, MEMORY_S - seconds)
    return Calibration((before.ratio * weight + bounded * seconds) / (weight + seconds), weight + seconds)


def _ratio(target: Target, variant: Variant, seen: VariantObservation, load: Load | None) -> float | None:
    if variant.role is Role.PREFILL:
        return _prefill_ratio(target, variant, seen, load)
    return _step_ratio(target, variant, seen)


def _step_ratio(target: Target, variant: Variant, seen: VariantObservation) -> float | None:
    """Observed inter-token latency over the prior's step at the batch that was observed."""
    if not (seen.step_time_s and seen.running and seen.reporting and seen.steps_per_s):
        return None
    gpu = catalog.accelerator(variant.accelerator)
    cost = prior(catalog.model(target.model), gpu, variant.gpus_per_replica)
    context = (seen.kv_usage_mean or 0.0) * (seen.kv_capacity_tokens or 0.0)
    prompts = (seen.prompt_tokens_per_s or 0.0) / seen.steps_per_s if variant.role is Role.BOTH else 0.0
    return seen.step_time_s / cost.step_s(prompts, seen.running / seen.reporting, context)


def _prefill_ratio(target: Target, variant: Variant, seen: VariantObservation, load: Load | None) -> float | None:
    """Observed mean TTFT over that of a queue whose service time is the prior's. A queue that is too long looks like
    a slow replica; that errs to the safe side."""
    if seen.ttft is None or load is None or not seen.reporting:
        return None
    gpu = catalog.accelerator(variant.accelerator)
    cost = prior(catalog.model(target.model), gpu, variant.gpus_per_replica)
    service_s = cost.a_s + cost.b_s_per_token * load.input_tokens * (1.0 - load.cached_share)
    utilisation = min((seen.arrival_rps or 0.0) / seen.reporting * service_s, 0.9)
    return seen.ttft.mean_s / (service_s / (1.0 - utilisation))
