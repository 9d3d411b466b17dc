"""What holds for one target at one moment, before any plan is made: what is known, what can be had, what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.domain.decision import Calibration, Outage, TargetInputs
from controlplane.planning.adapters import with_lora
from controlplane.planning.bounds import Bounds, planned_bounds, scheduled_bounds
from controlplane.planning.calibration import PRIOR, calibrations
from controlplane.planning.feedback import with_feedback
from controlplane.planning.late_starts import Late, late_starts
from controlplane.planning.outages import Cap, caps, outages
from controlplane.planning.rollouts import changed, is_outdated, unlearned


@dataclass(frozen=True, slots=True)
class Situation:
    """`inputs` are without what was learned of variants that have `changed`; `learned` is what is known by now."""

    inputs: TargetInputs
    now_s: float
    changed: tuple[str, ...]
    learned: Mapping[str, Calibration]
    outages: Mapping[str, Outage]
    caps: Mapping[str, tuple[Cap, ...]]
    late: Mapping[str, Late]
    bounds: Bounds
    planned: Bounds
    """With people's words: within these a plan is made."""


def situation(told: TargetInputs, now_s: float) -> Situation:
    """Of what the decider is told of one target."""
    inputs = unlearned(told)
    known = outages(inputs, now_s)
    bounds = scheduled_bounds(inputs, now_s)
    return Situation(
        inputs=inputs,
        now_s=now_s,
        changed=changed(told),
        learned=_learned(inputs),
        outages=known,
        caps=caps(inputs, known, now_s),
        late=late_starts(inputs),
        bounds=bounds,
        planned=Bounds(planned_bounds(inputs, bounds, now_s)),
    )


def _learned(inputs: TargetInputs) -> dict[str, Calibration]:
    """Nothing is learned of a variant while some of its replicas are of an older template."""
    newest = with_feedback(inputs, with_lora(inputs, calibrations(inputs)))
    before = inputs.memory.calibrations
    return {n: before.get(n, PRIOR) if is_outdated(inputs, n) else one for n, one in newest.items()}
