"""From inputs to outcome: the whole decider on one screen."""

from __future__ import annotations

from collections.abc import Sequence

from controlplane.domain.decision import (
    Capacity,
    Decision,
    Demand,
    GroupInputs,
    GroupOutcome,
    OutageKind,
    Plan,
    Ruling,
    RulingEffect,
    TargetInputs,
    Validation,
    Verdict,
)
from controlplane.domain.observation import Inventory, Observation
from controlplane.domain.target import OverrideKind
from controlplane.planning.acquaintance import with_first_growth
from controlplane.planning.allocation import Ask, carried, fleet_usd
from controlplane.planning.capacity import EDGE_HORIZON_S, capacity
from controlplane.planning.demand import WAKING, demand
from controlplane.planning.hedging import planned
from controlplane.planning.idleness import is_idle
from controlplane.planning.memory import remembered
from controlplane.planning.patched import is_patched, standing, wishes_count
from controlplane.planning.peoples_words import in_force, listed, override_words
from controlplane.planning.reconciling import ROUNDS, Judged, overdrawn, replanned
from controlplane.planning.replacements import with_replacements
from controlplane.planning.rounding import rounded_memory, rounded_plan
from controlplane.planning.rules import Case, Replicas, judge, says
from controlplane.planning.situation import Situation, situation

PLANNER_VERSION = "16"
"""Raised whenever the same inputs may give another outcome; `tidegate replay` compares only like with like."""


def decide(inputs: GroupInputs, lifted: frozenset[str] = frozenset()) -> GroupOutcome:
    """Plan the group's targets together, then put each plan before the rules that are not `lifted` (see `judge`)."""
    situations = [situation(one, inputs.now_s) for one in inputs.targets]
    asks = [_ask(at) for at in situations]
    plans = _planned(asks, situations, inputs.inventory)
    judged = [
        Judged(ask, plan, _decide(at, ask, plan, inputs.spool_writable, lifted))
        for at, ask, plan in zip(situations, asks, plans, strict=True)
    ]
    judged = _reconciled(judged, situations, inputs, lifted)
    memories = [remembered(at, one.plan, one.decision) for at, one in zip(situations, judged, strict=True)]
    recorded = tuple(rounded_plan(one.plan) for one in judged)
    decisions = tuple(one.decision for one in judged)
    return GroupOutcome(recorded, decisions, tuple(rounded_memory(m) for m in memories), PLANNER_VERSION)


def _planned(asks: Sequence[Ask], situations: Sequence[Situation], inventory: Inventory) -> tuple[Plan, ...]:
    """A plan for each: for who is patched beside the others as they stand (`patched`)."""
    together = with_replacements(asks, planned(asks, situations, inventory), inventory)
    if not wishes_count(asks, together, inventory):
        return together
    others = standing(asks)
    beside = with_replacements(others, planned(others, situations, inventory), inventory)
    pairs = zip(asks, beside, together, strict=True)
    return tuple(own if is_patched(ask) else wish for ask, own, wish in pairs)


def _reconciled(
    judged: list[Judged], situations: Sequence[Situation], inputs: GroupInputs, lifted: frozenset[str]
) -> list[Judged]:
    """The group where nobody grows on GPUs that rules let nobody give back yet (`reconciling`)."""
    for _ in range(ROUNDS):
        scarce = overdrawn(judged, inputs.inventory)
        late = [place for place, one in enumerate(judged) if one.grows_on(scarce)]
        if not late:
            break
        before, again = tuple(judged), _planned([one.held() for one in judged], situations, inputs.inventory)
        for place in late:
            ask, plan = before[place].ask, replanned(place, before, again[place], inputs.inventory)
            decision = _decide(situations[place], ask, plan, inputs.spool_writable, lifted)
            judged[place] = Judged(ask, plan, decision)
    return judged


def validate(decision: Decision, inputs: TargetInputs, plan: Plan, newest: Observation) -> Validation:
    """Re-check a scale-down against the newest observation: still enough pages, no longer a queue, still enough
    capacity; where everything goes, still nothing to do. A person's word is not doubted."""
    policy, wanted = inputs.target.policy, plan.demand
    said = _said_by_people(decision, inputs)
    if said:
        return Validation(True, said, newest)
    if newest.coverage is None or newest.coverage < policy.quorum:
        return Validation(False, "too few replicas report in the newest scrape", newest)
    if policy.idle_s is not None and not any(decision.desired.values()):
        idle = is_idle(newest)
        return Validation(idle, "nothing runs or waits" if idle else "the newest scrape is not idle", newest)
    if newest.load is None or wanted is None:
        return Validation(False, "the newest scrape does not say the load", newest)
    before, now = _waiting(inputs.observation), _waiting(newest)
    if now > before:
        return Validation(False, f"the queue grew from {before:.0f} to {now:.0f} requests", newest)
    rates = {c.variant: c.requests_per_s for c in plan.capacities}
    left = carried(inputs.target.variants, decision.desired, lambda v: rates.get(v.name, 0.0), policy.routing)
    foreseen = newest.load.requests_per_s * _foreseen(inputs, wanted)
    needed = max(foreseen, newest.load.newest_rps or 0.0, wanted.low_requests_per_s)
    if needed > left:
        words = f"{needed:.2f} requests/s arrive or are likely to, and {left:.2f} would be carried"
        return Validation(False, words, newest)
    return Validation(True, f"{left:.2f} requests/s stay carried", newest)


def _foreseen(inputs: TargetInputs, wanted: Demand) -> float:
    """The share of what comes now that was planned for: less than all of it only where it falls for certain."""
    load = inputs.observation.load
    return min(1.0, wanted.requests_per_s / load.requests_per_s) if load and load.requests_per_s > 0 else 1.0


def _said_by_people(decision: Decision, inputs: TargetInputs) -> str:
    """Whose word every variant that goes down goes down by; empty where the plan's own is among them."""
    policy, at_s = inputs.target.policy, inputs.observation.at_s
    words = []
    for name, after in decision.desired.items():
        if after < decision.current.get(name, after):
            said = [o for o in in_force(policy, name, at_s) if o.kind in (OverrideKind.PIN, OverrideKind.CEILING)]
            if all(o.replicas != after for o in said):
                return ""
            words += [override_words(o) for o in said]
    return listed(words)


def _waiting(observation: Observation) -> float:
    return sum(v.waiting or 0.0 for v in observation.variants)


def _ask(at: Situation) -> Ask:
    wanted = demand(at.inputs)
    target = at.inputs.target
    known: tuple[Capacity, ...] = ()
    if wanted is not None:
        horizon_s = EDGE_HORIZON_S if at.inputs.forecast is None else at.inputs.forecast.horizon_s
        known = tuple(capacity(target, v, wanted, at.learned[v.name], horizon_s) for v in target.variants)
        wanted = with_first_growth(wanted, at.inputs, known)
    stocked_out = {n: o.until_s for n, o in at.outages.items() if o.kind is OutageKind.STOCK_OUT}
    return Ask(at.inputs, wanted, known, stocked_out, at.planned.by_variant, at.caps)


def _decide(at: Situation, ask: Ask, plan: Plan, spool_writable: bool, lifted: frozenset[str]) -> Decision:
    current = {v.name: ask.current(v) for v in ask.inputs.target.variants}
    case = Case(
        inputs=at.inputs,
        now_s=at.now_s,
        current=current,
        demand=ask.demand,
        spool_writable=spool_writable,
        plan=plan,
        bounds=at.bounds,
        outages=at.outages,
        caps=at.caps,
        late=at.late,
        changed=at.changed,
    )
    desired, trail = judge(case, plan.replicas, lifted)
    verdict = _verdict(ask, current, desired, trail)
    reason = _with_people(_reason(verdict, current, desired, plan, trail), trail)
    return Decision(ask.inputs.target.key, verdict, current, dict(desired), trail, reason)


def _verdict(ask: Ask, current: Replicas, desired: Replicas, trail: tuple[Ruling, ...]) -> Verdict:
    if dict(current) == dict(desired):
        return Verdict.HOLD if _abstention(trail) is None else Verdict.ABSTAIN
    variants = ask.inputs.target.variants
    change = fleet_usd(variants, desired) - fleet_usd(variants, current)
    change = change or sum(desired.values()) - sum(current.values())
    return Verdict.DOWN if change < 0 else Verdict.UP


def _abstention(trail: tuple[Ruling, ...]) -> Ruling | None:
    return next((r for r in trail if r.effect is RulingEffect.ABSTAIN), None)


def _reason(verdict: Verdict, current: Replicas, desired: Replicas, plan: Plan, trail: tuple[Ruling, ...]) -> str:
    blind, acted = _abstention(trail), [r for r in trail if r.effect in (RulingEffect.HOLD, RulingEffect.LIMIT)]
    if verdict is Verdict.ABSTAIN and blind is not None:
        return f"abstain: {blind.reason}"
    carry = "; ".join(filter(None, (_carry(plan.demand), plan.trial)))
    if verdict is Verdict.HOLD:
        if acted:
            return f"hold {_fleet(current)}: {acted[-1].rule}, {acted[-1].reason}"
        return f"hold {_fleet(current)}: {carry}"
    moves = ", ".join(f"{n} {current.get(n, 0)} -> {r}" for n, r in desired.items() if r != current.get(n, 0))
    if acted and (blind is not None or dict(plan.replicas) == dict(current)):
        # Not what comes moves it, but a rule: that one is the reason.
        return f"{verdict} {moves}: {acted[-1].rule}, {acted[-1].reason}"
    short = "" if plan.feasible else f"; not enough: {plan.binding}"
    return f"{verdict} {moves}: {carry}{short}"


def _with_people(reason: str, trail: tuple[Ruling, ...]) -> str:
    """With what people said and is in force, where that is not the reason itself."""
    said = [r for r in trail if says(r) and r.reason not in reason]
    return "; ".join([reason, *(f"{r.rule}, {r.reason}" for r in said)])


def _fleet(replicas: Replicas) -> str:
    return " + ".join(f"{r} {n}" for n, r in replicas.items() if r) or "0 replicas"


def _carry(wanted: Demand | None) -> str:
    if wanted is None:
        return "the load is not known"
    if wanted.source == WAKING:
        return f"woken, since requests wait outside: {wanted.requests_per_s:.2f} requests/s to serve them in time"
    if wanted.growth_rps > 0:
        come, room = wanted.requests_per_s - wanted.growth_rps, wanted.growth_rps
        return f"{come:.2f} requests/s expected at the peak, and room for {room:.2f} more while the load is new"
    source = "expected" if wanted.source.startswith("forecast") else "observed"
    return f"{wanted.requests_per_s:.2f} requests/s {source} at the peak"
