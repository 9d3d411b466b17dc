"""One more in place of each replica that was Ready and does not come back: it keeps its place and serves nothing."""

from __future__ import annotations

from collections.abc import Sequence
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


def _one(ask: Ask, plan: Plan, free: dict[str, int]) -> Plan:
    replicas, variants = dict(plan.replicas), ask.inputs.target.variants
    if plan.demand is None:
        return plan
    for variant in variants:
        name, seen = variant.name, ask.inputs.observation.variant(variant.name)
        missing = lost(seen) if seen is not None and replicas[name] else 0
        while missing and replicas[name] < ask.most(variant) and fits(free, variant):
            replicas[name] += 1
            take(free, variant, 1)
            missing -= 1
    if replicas == plan.replicas:
        return plan
    weights = routing_weights(variants, replicas, ask.rate, ask.inputs.target.policy.routing)
    return replace(plan, replicas=replicas, usd_per_hour=fleet_usd(variants, replicas), weights=weights)
