"""The last replica of a role: kept while nobody outside would say when to wake it, given up when nothing comes and
somebody would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from controlplane.domain.decision import Decision, Ruling, RulingEffect, TargetInputs, Verdict
from controlplane.domain.target import Mode, Role, Target

MINUTE_S = 60.0
HALF = 0.5
"""Of a request in a minute: what is less is rounding."""


def is_idle(inputs: TargetInputs) -> bool:
    """Whether nothing came in the last minute, nothing is under way and no replica starts."""
    load, seen = inputs.observation.load, inputs.observation.variants
    busy = any((v.running or 0.0) + (v.waiting or 0.0) > 0 or v.pending or v.reporting < v.ready for v in seen)
    return load is not None and load.requests_per_s * MINUTE_S < HALF and not busy


def last_replica(target: Target, decision: Decision, now_s: float, idle_s: float, queued: float | None) -> Decision:
    """The decision with at least `minReplicas` where the load is not known, and with a replica of each role unless
    `queued` says that nothing waits outside (None: nobody knows).

    Where it says so, and nothing came for `idle_s`, the stabilisation window of downs at least, the last one goes, as
    far as `minReplicas` allows. A person's override is left as it is.
    """
    heard = [o for o in target.policy.overrides if o.expires_at_s is None or o.expires_at_s > now_s]
    if target.policy.mode is Mode.OFF or heard:
        return decision
    desired = dict(decision.desired)
    reasons: list[str] = []
    if decision.verdict is Verdict.ABSTAIN:
        desired, reasons = _at_least(target, desired)
    if queued == 0 and 0 < target.policy.scale_down.stabilization_window_s <= idle_s:
        resting = [v.name for v in target.variants if desired[v.name] > v.min_replicas == 0]
        desired |= dict.fromkeys(resting, 0)
        reasons += [f"{name} sleeps, since nothing came for {idle_s:.0f} s" for name in resting]
    elif queued != 0:
        woken = _woken(target, decision.current, desired)
        desired |= woken
        why = "the queue outside is not known" if queued is None else f"{queued:.0f} requests wait outside"
        reasons += [f"one {name} stays or wakes, since {why}" for name in woken]
    if not reasons:
        return decision
    words = "; ".join(reasons)
    ruling = Ruling("last-replica", RulingEffect.LIMIT, dict(decision.desired), desired, words)
    return replace(
        decision,
        desired=desired,
        trail=(*decision.trail, ruling),
        verdict=_verdict(decision, desired),
        reason=f"{decision.reason}; last-replica: {words}",
    )


def _at_least(target: Target, desired: dict[str, int]) -> tuple[dict[str, int], list[str]]:
    low = [v for v in target.variants if desired[v.name] < v.min_replicas]
    raised = {v.name: v.min_replicas for v in low}
    return {**desired, **raised}, [f"minReplicas of {v.name} is {v.min_replicas}" for v in low]


def _woken(target: Target, current: Mapping[str, int], desired: dict[str, int]) -> dict[str, int]:
    """One replica for each side of the work that none would do: of a variant that runs, else of the cheapest."""
    woken: dict[str, int] = {}
    for side in (Role.PREFILL, Role.DECODE):
        able = [v for v in target.variants if v.role in (side, Role.BOTH)]
        if able and not any(desired[v.name] or v.name in woken for v in able):
            woken[min(able, key=lambda v: (not current.get(v.name), v.usd_per_replica_hour)).name] = 1
    return woken


def _verdict(decision: Decision, desired: dict[str, int]) -> Verdict:
    change = sum(desired.values()) - sum(decision.current.values())
    return Verdict.UP if change > 0 else Verdict.DOWN if change < 0 else Verdict.HOLD
