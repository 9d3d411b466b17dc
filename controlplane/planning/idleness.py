"""When a target may sleep, and what wakes it."""

from __future__ import annotations

from collections.abc import Mapping

from controlplane.domain.decision import TargetInputs
from controlplane.domain.observation import Observation, VariantObservation
from controlplane.domain.target import Role

MINUTE_S = 60.0
HALF = 0.5
"""Of a request in a minute: what is less is rounding."""
SIDES = (Role.PREFILL, Role.DECODE)


def is_idle(observation: Observation) -> bool:
    """Whether it is known that nothing came in the last minute, nothing is under way, and no replica starts. What is
    not known is not idle."""
    return any(v.ready for v in observation.variants) and all(map(_rests, observation.variants))


def _rests(seen: VariantObservation) -> bool:
    if seen.pending or seen.reporting < seen.ready:
        return False
    if not seen.ready:
        return True
    if seen.running is None or seen.waiting is None or seen.arrival_rps is None:
        return False
    return seen.running + seen.waiting == 0 and seen.arrival_rps * MINUTE_S < HALF


def held_outside(inputs: TargetInputs) -> float | None:
    """Requests that a gateway holds back; None where nobody says."""
    return inputs.surroundings.waiting_requests


def idle_s(inputs: TargetInputs, now_s: float) -> float | None:
    """For how long the target has been idle, seconds; None where it is not, or a request is held outside."""
    since_s = inputs.memory.busy_at_s
    if since_s is None or held_outside(inputs) or not is_idle(inputs.observation):
        return None
    return now_s - since_s


def busy_at_s(inputs: TargetInputs, now_s: float) -> float:
    """When a request was last seen, or could have been: what memory keeps."""
    known = inputs.memory.busy_at_s
    return now_s if known is None or idle_s(inputs, now_s) is None else known


def asleep_sides(inputs: TargetInputs, replicas: Mapping[str, int], most: Mapping[str, int]) -> list[str]:
    """One variant for each side of the work that none of `replicas` would do: of those that may run (`most`, by
    variant), one that runs, else the cheapest."""
    woken: list[str] = []
    for side in SIDES:
        able = [v for v in inputs.target.variants if v.role in (side, Role.BOTH) and most[v.name] > 0]
        if able and not any(replicas.get(v.name) or v.name in woken for v in able):
            woken.append(min(able, key=lambda v: v.usd_per_replica_hour).name)
    return woken
