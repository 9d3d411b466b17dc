"""From inputs to outcome: the whole decider on one screen."""

from __future__ import annotations

from dataclasses import replace

from controlplane.domain.decision import (
    Calibration,
    Decision,
    Demand,
    GroupInputs,
    GroupOutcome,
    Memory,
    Plan,
    Recommendation,
    Ruling,
    RulingEffect,
    ScaleEvent,
    TargetInputs,
    Validation,
    Verdict,
)
from controlplane.domain.observation import Observation
from controlplane.domain.target import Mode
from controlplane.planning.allocation import Ask, allocate, carried, fleet_usd
from controlplane.planning.calibration import calibrations
from controlplane.planning.capacity import capacity
from controlplane.planning.demand import demand
from controlplane.planning.feedback import with_budget, with_feedback
from controlplane.planning.rules import Case, Replicas, forget, judge, longest_look_back_s

PLANNER_VERSION = "2"
"""Raised whenever the same inputs may give another outcome; `tidegate replay` compares only like with like."""


def decide(inputs: GroupInputs) -> GroupOutcome:
    """Plan the group's targets together, then put each plan before the rules."""
    learned = [with_feedback(one, calibrations(one)) for one in inputs.targets]
    asks = [_ask(one, known) for one, known in zip(inputs.targets, learned, strict=True)]
    plans = allocate(asks, inputs.inventory)
    decisions = [_decide(inputs, ask, plan) for ask, plan in zip(asks, plans, strict=True)]
    memories = [
        _remember(inputs.now_s, ask, plan, decision, known)
        for ask, plan, decision, known in zip(asks, plans, decisions, learned, strict=True)
    ]
    return GroupOutcome(plans, tuple(decisions), tuple(memories), PLANNER_VERSION)


def validate(decision: Decision, inputs: TargetInputs, plan: Plan, newest: Observation) -> Validation:
    """Re-check a scale-down against the newest observation: still enough pages, no longer a queue, still enough
    capacity."""
    policy, wanted = inputs.target.policy, plan.demand
    if newest.coverage is None or newest.coverage < policy.quorum:
        return Validation(False, "too few replicas report in the newest scrape", newest)
    if newest.load is None or wanted is None:
        return Validation(False, "the newest scrape does not say the load", newest)
    before, now = _waiting(inputs.observation), _waiting(newest)
    if now > before:
        return Validation(False, f"the queue grew from {before:.0f} to {now:.0f} requests", newest)
    rates = {c.variant: c.requests_per_s for c in plan.capacities}
    left = carried(inputs.target.variants, decision.desired, lambda v: rates.get(v.name, 0.0), policy.routing)
    needed = max(newest.load.requests_per_s, wanted.low_requests_per_s)
    if needed > left:
        words = f"{needed:.2f} requests/s arrive or are likely to, and {left:.2f} would be carried"
        return Validation(False, words, newest)
    return Validation(True, f"{left:.2f} requests/s stay carried", newest)


def _waiting(observation: Observation) -> float:
    return sum(v.waiting or 0.0 for v in observation.variants)


def _ask(inputs: TargetInputs, known: dict[str, Calibration]) -> Ask:
    wanted = demand(inputs)
    if wanted is None:
        return Ask(inputs, None, ())
    variants = inputs.target.variants
    return Ask(inputs, wanted, tuple(capacity(inputs.target, v, wanted, known[v.name]) for v in variants))


def _decide(inputs: GroupInputs, ask: Ask, plan: Plan) -> Decision:
    current = {v.name: ask.current(v) for v in ask.inputs.target.variants}
    case = Case(ask.inputs, inputs.now_s, current, ask.demand, inputs.spool_writable)
    desired, trail = judge(case, plan.replicas)
    verdict = _verdict(ask, current, desired, trail)
    reason = _reason(verdict, current, desired, plan, trail)
    return Decision(ask.inputs.target.key, verdict, current, dict(desired), trail, reason)


def _verdict(ask: Ask, current: Replicas, desired: Replicas, trail: tuple[Ruling, ...]) -> Verdict:
    if trail[-1].effect is RulingEffect.ABSTAIN:
        return Verdict.ABSTAIN
    if dict(current) == dict(desired):
        return Verdict.HOLD
    variants = ask.inputs.target.variants
    change = fleet_usd(variants, desired) - fleet_usd(variants, current)
    change = change or sum(desired.values()) - sum(current.values())
    return Verdict.DOWN if change < 0 else Verdict.UP


def _reason(verdict: Verdict, current: Replicas, desired: Replicas, plan: Plan, trail: tuple[Ruling, ...]) -> str:
    if verdict is Verdict.ABSTAIN:
        return f"abstain: {trail[-1].reason}"
    carry = _carry(plan.demand)
    if verdict is Verdict.HOLD:
        held = [r for r in trail if r.effect in (RulingEffect.HOLD, RulingEffect.LIMIT)]
        if held:
            return f"hold {_fleet(current)}: {held[-1].rule}, {held[-1].reason}"
        return f"hold {_fleet(current)}: {carry}"
    moves = ", ".join(f"{n} {current.get(n, 0)} -> {r}" for n, r in desired.items() if r != current.get(n, 0))
    short = "" if plan.feasible else f"; not enough: {plan.binding}"
    return f"{verdict} {moves}: {carry}{short}"


def _fleet(replicas: Replicas) -> str:
    return " + ".join(f"{r} {n}" for n, r in replicas.items() if r) or "0 replicas"


def _carry(wanted: Demand | None) -> str:
    if wanted is None:
        return "the load is not known"
    source = "expected" if wanted.source.startswith("forecast") else "observed"
    return f"{wanted.requests_per_s:.2f} requests/s {source} at the peak"


def _remember(now_s: float, ask: Ask, plan: Plan, decision: Decision, known: dict[str, Calibration]) -> Memory:
    first_s = now_s if ask.inputs.memory.first_seen_at_s is None else ask.inputs.memory.first_seen_at_s
    memory = replace(ask.inputs.memory, calibrations=known, first_seen_at_s=first_s)
    memory = with_budget(ask.inputs, known, memory)
    if decision.verdict is Verdict.ABSTAIN:
        return memory
    recommendations = memory.recommendations
    if not recommendations:
        # The fleet as it was found counts as recommended, so that a new controller watches a whole window before a
        # down.
        recommendations = (Recommendation(now_s, dict(decision.current)),)
    recommendations = (*recommendations, Recommendation(now_s, dict(plan.replicas)))
    # In Shadow nothing is patched, so nothing counts against the rates; else the next verdicts would be about our own
    # wishes.
    live = ask.inputs.target.policy.mode is Mode.LIVE
    moved = ((n, r - decision.current.get(n, 0)) for n, r in decision.desired.items() if live)
    events = tuple(ScaleEvent(now_s, name, delta) for name, delta in moved if delta)
    grown = replace(memory, recommendations=recommendations, scale_events=(*memory.scale_events, *events))
    return forget(grown, now_s - longest_look_back_s(ask.inputs.target))
