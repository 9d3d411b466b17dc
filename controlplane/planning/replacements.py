"""One more in place of each replica that was Ready and does not come back: it keeps its place and serves nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from controlplane.domain.decision import Plan
from controlplane.domain.observation import Inventory
from controlplane.planning.allocation import Ask, fleet_usd, routing_weights
from controlplane.planning.headroom import fits, free_gpus, take
from controlplane.planning.outages import lost


def with_replacements(asks: Sequence[Ask], plans: Sequence[Plan], inventory: Inventory) -> tuple[Plan, ...]:
    """The plans with as many more of each variant as are lost of it, as far as bounds and free accelerators allow."""
    free = free_gpus(asks, plans, inventory)
    return tuple(_one(ask, plan, free) for ask, plan in zip(asks, plans, strict=True))


def topped_up(ask: Ask, plan: Plan, wish: Mapping[str, int], free: dict[str, int]) -> Plan:
    """The plan with as many of each variant as the `wish`, as far as bounds and `free` accelerators allow; what must
    run takes those that others had."""
    replicas, variants = dict(plan.replicas), ask.inputs.target.variants
    for variant in variants:
        name, least = variant.name, ask.bound(variant).low
        most = min(wish.get(name, 0), ask.most(variant))
        while replicas[name] < most and (replicas[name] < least or fits(free, variant)):
            replicas[name] += 1
            take(free, variant, 1)
    if replicas == plan.replicas:
        return plan
    weights = routing_weights(variants, replicas, ask.rate, ask.inputs.target.policy.routing)
    return replace(plan, replicas=replicas, usd_per_hour=fleet_usd(variants, replicas), weights=weights)


def _one(ask: Ask, plan: Plan, free: dict[str, int]) -> Plan:
    if plan.demand is None:
        return plan
    missing = {seen.variant: lost(seen) for seen in ask.inputs.observation.variants}
    return topped_up(ask, plan, {n: r + missing.get(n, 0) for n, r in plan.replicas.items() if r}, free)
