"""A fleet that keeps to its limits, spread better where that is for nothing: a share that is rounded up to a replica
lets six replicas stand in two zones of three."""

from __future__ import annotations

from collections.abc import Iterator

from controlplane.planning.allocation.claim import Claim, Fleet

FOR_NOTHING = 1e-3
"""Share of a fleet's cost that a better spread may cost: what prices and rates of two zones differ by in the noise."""
SMALLER = 1e-6
"""Requests/s by which what is above the shares must shrink; each move does, so that they end."""


def evened(claim: Claim, fleet: Fleet) -> Fleet:
    """`fleet` with replicas moved to the same machines in other failure domains, while less of it is above the domains'
    shares, which are not rounded here. Nothing that stays anyway is moved."""
    if not claim.domains:
        return fleet
    most_usd = claim.cost(fleet) * (1.0 + FOR_NOTHING)
    above = _above(claim, fleet)
    while above > 0:
        found = min(_moved(claim, fleet, most_usd), key=lambda other: _above(claim, other), default=fleet)
        less = _above(claim, found)
        if less > above - SMALLER:
            break
        fleet, above = found, less
    return fleet


def _above(claim: Claim, fleet: Fleet) -> float:
    return sum(max(0.0, domain.beyond(fleet)) for domain in claim.domains)


def _moved(claim: Claim, fleet: Fleet, most_usd: float) -> Iterator[Fleet]:
    """Fleets with one replica elsewhere that carry as much, cost no more and keep to all limits."""
    missing = claim.missing(fleet, claim.reach)
    crowding = claim.crowding(fleet)
    for given, one in enumerate(claim.variants):
        for taken, other in enumerate(claim.variants):
            same = one.role is other.role and one.accelerator == other.accelerator
            if not same or one.failure_domain == other.failure_domain or one.gpus_per_replica != other.gpus_per_replica:
                continue
            if fleet[given] <= claim.low[given] or fleet[taken] >= claim.high[taken]:
                continue
            if fleet[given] <= claim.current[given] and fleet[taken] >= claim.current[taken]:
                continue  # What runs would stop, and another start.
            after = tuple(n - (at == given) + (at == taken) for at, n in enumerate(fleet))
            kept = claim.spot_allowed(after) and claim.crowding(after) <= crowding
            if kept and claim.missing(after, claim.reach) <= missing and claim.cost(after) <= most_usd:
                yield after
