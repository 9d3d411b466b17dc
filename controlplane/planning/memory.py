"""What the decider remembers from tick to tick, and what it forgets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from controlplane.domain.decision import (
    Actuation,
    ActuationResult,
    Decision,
    Memory,
    Plan,
    Recommendation,
    ScaleEvent,
    TargetInputs,
    Verdict,
)
from controlplane.domain.observation import Load
from controlplane.domain.target import Mode, Target
from controlplane.planning.feedback import with_budget
from controlplane.planning.idleness import busy_at_s
from controlplane.planning.rollouts import templates
from controlplane.planning.rules.pace import FLAP_FACTOR, FLAP_WINDOW_S
from controlplane.planning.situation import Situation

NOT_DONE = frozenset({ActuationResult.CONFLICT, ActuationResult.FAILED, ActuationResult.REFUSED})
"""Of these nothing was changed. Unknown may have been, and counts."""


def remembered(at: Situation, plan: Plan, decision: Decision) -> Memory:
    """The memory after a decision."""
    inputs, now_s = at.inputs, at.now_s
    first_s = now_s if inputs.memory.first_seen_at_s is None else inputs.memory.first_seen_at_s
    memory = replace(
        inputs.memory,
        calibrations=dict(at.learned),
        first_seen_at_s=first_s,
        outages=dict(at.outages),
        templates=templates(inputs),
        headroom=inputs.memory.headroom if plan.demand is None else dict(plan.headroom),
        mix=_mix(inputs),
        busy_at_s=busy_at_s(inputs, now_s),
    )
    memory = with_budget(inputs, at.learned, memory)
    # In Shadow nothing is patched, so nothing counts against the rates; else the next verdicts would be about our own
    # wishes.
    if inputs.target.policy.mode is Mode.LIVE:
        memory = replace(memory, scale_events=(*memory.scale_events, *_events(now_s, decision)))
    if plan.demand is not None and decision.verdict is not Verdict.ABSTAIN:
        memory = _recommending(now_s, memory, plan, decision)
    return _forget(inputs.target, memory, now_s)


def settled(memory: Memory, at_s: float, actuations: Iterable[Actuation]) -> Memory:
    """The memory without the changes decided at `at_s` that came to nothing: a patch that was refused, failed or met a
    conflict is no scale event, and must not count against the rates."""
    undone = {a.variant for a in actuations if a.result in NOT_DONE}
    if not undone:
        return memory
    kept = tuple(e for e in memory.scale_events if e.at_s != at_s or e.variant not in undone)
    return replace(memory, scale_events=kept)


def _events(now_s: float, decision: Decision) -> tuple[ScaleEvent, ...]:
    moved = ((n, r - decision.current.get(n, 0)) for n, r in decision.desired.items())
    return tuple(ScaleEvent(now_s, name, delta) for name, delta in moved if delta)


def _recommending(now_s: float, memory: Memory, plan: Plan, decision: Decision) -> Memory:
    recommendations = memory.recommendations
    if not recommendations:
        # The fleet as it was found counts as recommended, so that a new controller watches a whole window before a
        # down.
        recommendations = (Recommendation(now_s, dict(decision.current)),)
    return replace(memory, recommendations=(*recommendations, Recommendation(now_s, dict(plan.replicas))))


def _mix(inputs: TargetInputs) -> Load | None:
    """The last load with requests in it, of a target that may sleep."""
    may_sleep = inputs.target.policy.idle_s is not None or all(v.min_replicas == 0 for v in inputs.target.variants)
    load = inputs.observation.load
    if not may_sleep:
        return None
    return load if load is not None and load.requests_per_s > 0 else inputs.memory.mix


def _forget(target: Target, memory: Memory, now_s: float) -> Memory:
    """Without what is too old for any rule to look at."""
    policy = target.policy
    periods = [p.period_s for rules in (policy.scale_up, policy.scale_down) for p in rules.policies]
    drains = [v.drain_s or 0.0 for v in target.variants]
    windows = [policy.scale_up.stabilization_window_s, policy.scale_down.stabilization_window_s * FLAP_FACTOR]
    events_s, recommended_s = now_s - max([*periods, *drains, FLAP_WINDOW_S]), now_s - max(windows)
    return replace(
        memory,
        recommendations=tuple(r for r in memory.recommendations if r.at_s > recommended_s),
        scale_events=tuple(e for e in memory.scale_events if e.at_s > events_s),
    )
