"""Warm replicas beyond the plan's need, in each role: what the user wants ready for what no forecast sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from controlplane.domain.decision import Plan
from controlplane.domain.observation import Inventory
from controlplane.domain.target import Headroom, Role, Variant
from controlplane.planning.allocation import Ask, fleet_usd, routing_weights
from controlplane.planning.allocation.claim import claim_of, weighed_usd


def with_headroom(asks: Sequence[Ask], plans: Sequence[Plan], inventory: Inventory) -> tuple[Plan, ...]:
    """The plans with each target's headroom, as far as bounds and free accelerators allow: the need of all comes
    first, then the headroom of those with the highest priority."""
    free = free_gpus(asks, plans, inventory)
    found = list(plans)
    order = sorted(range(len(asks)), key=lambda i: (-asks[i].inputs.target.policy.priority, i))
    for place in order:
        found[place] = _one(asks[place], plans[place], free)
    return tuple(found)


def wanted_headroom(headroom: Headroom, replicas: int) -> int:
    """Replicas beyond the `replicas` of a role; none for a role that sleeps."""
    share = math.ceil(headroom.share * replicas - 1e-9)
    return max(headroom.replicas, share) if replicas else 0


def _one(ask: Ask, plan: Plan, free: dict[str, int]) -> Plan:
    policy, variants = ask.inputs.target.policy, ask.inputs.target.variants
    if plan.demand is None or policy.headroom == Headroom():
        return plan
    replicas = dict(plan.replicas)
    claim, names = claim_of(ask, 0.0), [v.name for v in variants]
    for role in Role:
        own = [v for v in variants if v.role is role and ask.rate(v) > 0]
        for _ in range(wanted_headroom(policy.headroom, sum(plan.replicas[v.name] for v in own))):
            able = [v for v in own if replicas[v.name] < ask.most(v) and fits(free, v)]
            if not able:
                break
            # Where failure domains allow it, what runs already stays; else what is cheapest for a request.
            crowding = {v.name: claim.crowding([replicas[n] + (n == v.name) for n in names]) for v in able}
            chosen = min(
                able,
                key=lambda v: (crowding[v.name], replicas[v.name] >= ask.current(v), weighed_usd(v) / ask.rate(v)),
            )
            replicas[chosen.name] += 1
            take(free, chosen, 1)
    more = {name: n - plan.replicas[name] for name, n in replicas.items() if n > plan.replicas[name]}
    return replace(
        plan,
        replicas=replicas,
        usd_per_hour=fleet_usd(variants, replicas),
        weights=routing_weights(variants, replicas, ask.rate, policy.routing),
        headroom=more,
    )


def free_gpus(asks: Sequence[Ask], plans: Sequence[Plan], inventory: Inventory) -> dict[str, int]:
    """GPUs that the plans leave, by accelerator; those that are not limited are absent."""
    free = dict(inventory.gpus)
    for ask, plan in zip(asks, plans, strict=True):
        for variant in ask.inputs.target.variants:
            take(free, variant, plan.replicas[variant.name])
    return free


def fits(free: dict[str, int], variant: Variant) -> bool:
    """Whether there is room for one more replica."""
    return free.get(variant.accelerator, variant.gpus_per_replica) >= variant.gpus_per_replica


def take(free: dict[str, int], variant: Variant, replicas: int) -> None:
    """Count so many replicas as placed."""
    if variant.accelerator in free:
        free[variant.accelerator] -= variant.gpus_per_replica * replicas
