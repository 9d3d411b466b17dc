"""Why a plan is what it is: the bounds that held it, and the fleets that were not chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping

from controlplane.domain.decision import Alternative
from controlplane.domain.observation import Inventory
from controlplane.domain.target import CapacityType, Role, Variant
from controlplane.planning.allocation.ask import Ask, fleet_usd
from controlplane.planning.allocation.claim import Claim


def binding(ask: Ask, replicas: Mapping[str, int], free: Mapping[str, int], inventory: Inventory) -> str:
    """The bounds that kept the plan from carrying its demand, in words. `free` GPUs are left by accelerator."""
    held = []
    for variant in ask.inputs.target.variants:
        if ask.rate(variant) <= 0:
            held.append(f"{variant.name} cannot meet the SLO")
        elif replicas[variant.name] >= variant.max_replicas:
            held.append(f"maxReplicas {variant.max_replicas} of {variant.name}")
        elif replicas[variant.name] >= ask.most(variant):
            held.append(f"{variant.name} is stocked out, failing or at its maxSurge")
    for accelerator in sorted({v.accelerator for v in ask.inputs.target.variants} & set(free)):
        own = [v.gpus_per_replica for v in ask.inputs.target.variants if v.accelerator == accelerator]
        if free[accelerator] < min(own):
            held.append(f"{inventory.gpus[accelerator]} {accelerator} in all")
    policy = ask.inputs.target.policy
    if policy.max_spot_share < 1.0 and any(v.capacity_type is CapacityType.SPOT for v in ask.inputs.target.variants):
        held.append(f"maxSpotShare {policy.max_spot_share:g}")
    return ", ".join(held) or "no variant is left"


def alternatives(ask: Ask, claim: Claim, chosen: Mapping[str, int], free: Mapping[str, int]) -> tuple[Alternative, ...]:
    """The fleets of one variant per role, and why each was not chosen. `free` GPUs are left beside the chosen fleet."""
    variants = ask.inputs.target.variants
    cost = fleet_usd(variants, chosen)
    singles = [(v,) for v in variants if v.role is Role.BOTH]
    pairs = [(p, d) for p in variants if p.role is Role.PREFILL for d in variants if d.role is Role.DECODE]
    found = []
    for fleet in (*singles, *pairs):
        replicas = _alone(ask, fleet)
        if replicas is None or all(chosen.get(v.name, 0) == replicas.get(v.name, 0) for v in variants):
            continue
        usd = fleet_usd(variants, replicas)
        broken = _broken(claim, fleet, replicas, chosen, free)
        found.append(
            Alternative(replicas, usd, f"breaks {', '.join(broken)}" if broken else _dearer(claim, usd - cost))
        )
    return tuple(found)


def _dearer(claim: Claim, more_usd: float) -> str:
    if abs(more_usd) < 0.005:
        return "costs the same; what runs was kept"
    if more_usd > 0:
        return f"{more_usd:+.2f} $/h"
    why = f"what shrinks must carry {claim.down_margin:.0%} more, or a cold start is not worth it"
    return f"{more_usd:+.2f} $/h, but {'it would miss more of what may come, or ' if claim.risk else ''}{why}"


def _broken(
    claim: Claim,
    fleet: tuple[Variant, ...],
    replicas: Mapping[str, int],
    chosen: Mapping[str, int],
    free: Mapping[str, int],
) -> list[str]:
    """The limits that a fleet would break."""
    broken = [f"maxReplicas {v.max_replicas} of {v.name}" for v in fleet if replicas[v.name] > v.max_replicas]
    counts = [replicas[v.name] for v in claim.variants]
    if not claim.spot_allowed(counts):
        broken.append("the limits on Spot")
    held = claim.gpus([chosen[v.name] for v in claim.variants])
    for accelerator, gpus in claim.gpus(counts).items():
        left = max(0, free.get(accelerator, gpus)) + held[accelerator]
        if gpus > left:
            broken.append(f"the inventory: {gpus} {accelerator} where {left} are left")
    return broken


def _alone(ask: Ask, fleet: tuple[Variant, ...]) -> dict[str, int] | None:
    """Replicas of these variants alone that carry the demand, minima of the others kept; None where one cannot."""
    assert ask.demand is not None
    if any(ask.rate(v) <= 0 for v in fleet):
        return None
    replicas = {v.name: v.min_replicas for v in ask.inputs.target.variants}
    for variant in fleet:
        needed = math.ceil(ask.demand.requests_per_s / ask.rate(variant) - 1e-9)
        replicas[variant.name] = max(needed, 1, variant.min_replicas)
    return replicas
