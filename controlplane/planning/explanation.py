"""One decision whole, for those who ask why: what went in, what was chosen and refused, and what would have changed
it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.domain.decision import (
    Actuation,
    ActuationResult,
    Alternative,
    Capacity,
    ColdStart,
    Decision,
    Demand,
    Forecast,
    Ruling,
    RulingEffect,
    Tick,
    Validation,
    Verdict,
)
from controlplane.domain.observation import Inventory, Observation, Surroundings
from controlplane.domain.target import Mode, Override, Slo
from controlplane.planning.allocation import fleet_usd
from controlplane.planning.counterfactuals import Counterfactual, counterfactuals, moves_in_words
from controlplane.planning.decision import PLANNER_VERSION, decide
from controlplane.planning.explain import sentences
from controlplane.planning.outcome import Outcome, later_outcome
from controlplane.planning.promise import promised_attainment
from controlplane.planning.replay import group_inputs


@dataclass(frozen=True, slots=True)
class ExplainedInputs:
    """What the decider was told. `overrides` are those that held then."""

    observation: Observation
    cold_starts: dict[str, ColdStart]
    inventory: Inventory
    surroundings: Surroundings
    slo: Slo
    mode: Mode
    overrides: tuple[Override, ...]
    spool_writable: bool


@dataclass(frozen=True, slots=True)
class ChosenPlan:
    """What the plan wanted, before the rules. Dollars per hour. `expected_attainment` is the share of requests at the
    forecast's peak that find room on it within the SLO; None where that is not known."""

    replicas: dict[str, int]
    usd_per_hour: float
    feasible: bool
    binding: str
    expected_attainment: float | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A fleet that was not chosen, what it would have cost more (or less) than the plan, dollars per hour, and what
    share of requests it could have served (see `ChosenPlan`)."""

    alternative: Alternative
    extra_usd_per_hour: float
    expected_attainment: float | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One decision whole."""

    tick_id: str
    group_tick_id: str
    target: str
    at_s: float
    verdict: Verdict
    reason: str
    sentences: tuple[str, ...]
    inputs: ExplainedInputs
    forecast: Forecast | None
    demand: Demand | None
    capacities: tuple[Capacity, ...]
    plan: ChosenPlan
    rejected: tuple[Rejected, ...]
    rules: tuple[Ruling, ...]
    current: dict[str, int]
    desired: dict[str, int]
    validation: Validation | None
    actuations: tuple[Actuation, ...]
    would_change: tuple[Counterfactual, ...]
    """The smallest change of each kind that would have changed the answer, verdicts first."""
    planner_version: str
    decided_again_by: str
    """The planner's version that tried the changes."""
    reproduced: bool
    """Whether that version decides the recorded inputs as they were decided; where not, read the changes with care."""
    outcome: Outcome


def explanation(ticks: Sequence[Tick], tick_id: str, later: Sequence[Tick]) -> Explanation:
    """The decision `tick_id`, from all the ticks of its group tick and from later ones of its target.

    Raises:
        KeyError: if it is not among `ticks`.
    """
    tick = next((one for one in ticks if one.id == tick_id), None)
    if tick is None:
        raise KeyError(f"tick is {tick_id!r}; allowed: {', '.join(one.id for one in ticks)}")
    inputs, key = group_inputs(ticks), tick.inputs.target.key
    again = next(d for d in decide(inputs).decisions if d.target == key)
    return Explanation(
        tick_id=tick.id,
        group_tick_id=tick.group_tick_id,
        target=key,
        at_s=tick.at_s,
        verdict=tick.decision.verdict,
        reason=tick.decision.reason,
        sentences=sentences(tick),
        inputs=_inputs(tick),
        forecast=tick.inputs.forecast,
        demand=tick.plan.demand,
        capacities=tick.plan.capacities,
        plan=_plan(tick),
        rejected=tuple(_rejected(tick, a) for a in tick.plan.alternatives),
        rules=tick.decision.trail,
        current=dict(tick.decision.current),
        desired=dict(tick.decision.desired),
        validation=tick.validation,
        actuations=tick.actuations,
        would_change=counterfactuals(inputs, key),
        planner_version=tick.planner_version,
        decided_again_by=PLANNER_VERSION,
        reproduced=_same(again, tick.decision),
        outcome=later_outcome(tick, later),
    )


def _same(again: Decision, recorded: Decision) -> bool:
    return again.verdict is recorded.verdict and dict(again.desired) == dict(recorded.desired)


def _inputs(tick: Tick) -> ExplainedInputs:
    one, policy = tick.inputs, tick.inputs.target.policy
    held = tuple(o for o in policy.overrides if o.expires_at_s is None or o.expires_at_s > tick.at_s)
    return ExplainedInputs(
        observation=one.observation,
        cold_starts=dict(one.cold_starts),
        inventory=tick.inventory,
        surroundings=one.surroundings,
        slo=policy.slo,
        mode=policy.mode,
        overrides=held,
        spool_writable=tick.spool_writable,
    )


def _plan(tick: Tick) -> ChosenPlan:
    plan = tick.plan
    # What a plan leaves out it does not touch.
    wanted = {**tick.decision.current, **plan.replicas}
    met = promised_attainment(tick, wanted)
    return ChosenPlan(dict(plan.replicas), plan.usd_per_hour, plan.feasible, plan.binding, met)


def _rejected(tick: Tick, other: Alternative) -> Rejected:
    extra = other.usd_per_hour - tick.plan.usd_per_hour
    return Rejected(other, extra, promised_attainment(tick, other.replicas))


# Why not


def proposed(tick: Tick) -> Verdict:
    """What the plan alone would have done, before the rules: by its dollars, or its replicas where those are equal."""
    variants, current = tick.inputs.target.variants, tick.decision.current
    # What a plan leaves out it does not touch.
    wanted = {**current, **tick.plan.replicas}
    if tick.plan.demand is None or wanted == dict(current):
        return Verdict.HOLD
    change = fleet_usd(variants, wanted) - fleet_usd(variants, current) or sum(wanted.values()) - sum(current.values())
    return Verdict.DOWN if change < 0 else Verdict.UP


def undone(tick: Tick, verdict: Verdict) -> str | None:
    """Why a change in that direction was proposed and not done; None where it was not proposed, or was done.

    The sentence names the first that stood in its way: a rule, the last check, or the cluster.
    """
    if proposed(tick) is not verdict and tick.decision.verdict is not verdict:
        return None
    moves = moves_in_words(tick.decision.current, tick.plan.replicas)
    if tick.decision.verdict is not verdict:
        acted = [r for r in tick.decision.trail if r.effect is not RulingEffect.PASS]
        if not acted:
            return None
        said = "; ".join(f"rule {r.rule} ({r.effect}): {r.reason}" for r in acted)
        return f"the plan wanted {moves}, but {said}"
    if tick.validation is not None and not tick.validation.allowed:
        return f"the decision was {moves}, but the last check refused it: {tick.validation.reason}"
    failed = [a for a in tick.actuations if a.result is not ActuationResult.APPLIED]
    if failed:
        said = ", ".join(f"{a.variant} {a.replicas_from} -> {a.replicas_to} {a.result} ({a.detail})" for a in failed)
        return f"the decision was {moves}, but it was not applied: {said}"
    if not tick.actuations and tick.inputs.target.policy.mode is not Mode.LIVE:
        return f"the decision was {moves}, but nothing is patched in {tick.inputs.target.policy.mode}"
    return None
