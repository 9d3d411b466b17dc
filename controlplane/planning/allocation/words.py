"""Why a plan is what it is: the bounds that held it, and the fleets that were not chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from controlplane.domain.decision import Alternative
from controlplane.domain.observation import Inventory
from controlplane.domain.target import CapacityType, Preference, Role, Variant
from controlplane.planning.allocation.ask import Ask, fleet_usd
from controlplane.planning.allocation.claim import Claim


def binding(ask: Ask, replicas: Mapping[str, int], free: Mapping[str, int], inventory: Inventory) -> str:
    """The bounds that kept the plan from carrying its demand, in words. `free` GPUs are left by accelerator."""
    held = []
    for variant in ask.inputs.target.variants:
        if ask.rate(variant) <= 0:
            held.append(f"{variant.name} cannot meet the SLO")
        elif replicas[variant.name] >= ask.most(variant):
            held.append(ask.held_by(variant))
    for accelerator in sorted({v.accelerator for v in ask.inputs.target.variants} & set(free)):
        own = [v.gpus_per_replica for v in ask.inputs.target.variants if v.accelerator == accelerator]
        if free[accelerator] < min(own):
            held.append(f"{inventory.gpus[accelerator]} {accelerator} in all")
    policy = ask.inputs.target.policy
    # Failure domains are not among them: more than their share is had before anything is left uncarried.
    if policy.max_spot_share < 1.0 and any(v.capacity_type is CapacityType.SPOT for v in ask.inputs.target.variants):
        held.append(f"maxSpotShare {policy.max_spot_share:g}")
    return ", ".join(held) or "no variant is left"


def crowded(claim: Claim, fleet: Sequence[int]) -> str:
    """The failure domains that have more than their share, since the rest of the fleet could not be elsewhere, in
    words; empty where all keep to it."""
    found = []
    for domain in claim.domains:
        if domain.excess(fleet) > 0:
            has = domain.held(fleet) / domain.total(fleet)
            found.append(f"maxDomainShare {domain.share:g}: {domain.name} has {has:.0%} of {domain.role}")
    return ", ".join(found)


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
        broken = _broken(ask, claim, fleet, replicas, chosen, free)
        note = f"breaks {', '.join(broken)}" if broken else _dearer(claim, usd - cost, _is_weighed(claim))
        found.append(Alternative(replicas, usd, note))
    return tuple(found)


def _is_weighed(claim: Claim) -> bool:
    return any(v.preference is not Preference.NEUTRAL for v in claim.variants)


def _dearer(claim: Claim, more_usd: float, weighed: bool) -> str:
    if abs(more_usd) < 0.005:
        return "costs the same; what runs was kept"
    if more_usd > 0:
        return f"{more_usd:+.2f} $/h"
    why = f"what shrinks must carry {claim.down_margin:.0%} more, or a cold start is not worth it"
    if weighed:
        why = f"some are preferred or avoided, or {why}"
    return f"{more_usd:+.2f} $/h, but {'it would miss more of what may come, or ' if claim.risk else ''}{why}"


def _broken(
    ask: Ask,
    claim: Claim,
    fleet: tuple[Variant, ...],
    replicas: Mapping[str, int],
    chosen: Mapping[str, int],
    free: Mapping[str, int],
) -> list[str]:
    """The limits that a fleet would break."""
    broken = [ask.held_by(v) for v in fleet if replicas[v.name] > ask.most(v)]
    counts = [replicas[v.name] for v in claim.variants]
    if not claim.spot_allowed(counts):
        broken.append("the limits on Spot")
    spread = crowded(claim, counts)
    if spread:
        broken.append(spread)
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
    replicas = {v.name: ask.bound(v).low for v in ask.inputs.target.variants}
    for variant in fleet:
        needed = math.ceil(ask.demand.requests_per_s / ask.rate(variant) - 1e-9)
        replicas[variant.name] = max(needed, 1, ask.bound(variant).low)
    return replicas
