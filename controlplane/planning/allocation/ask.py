"""One target as the allocation is asked for it, and what a fleet of it costs and carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from controlplane.domain.decision import Capacity, Demand, TargetInputs
from controlplane.domain.target import Role, Routing, Variant


@dataclass(frozen=True, slots=True)
class Ask:
    """One target as the program sees it. `demand` None: its replicas stay as they are.

    `stocked_out_until_s`: by variant name, the unix second until which no more of it can be had; what is Ready stays.
    """

    inputs: TargetInputs
    demand: Demand | None
    capacities: tuple[Capacity, ...]
    stocked_out_until_s: Mapping[str, float] = field(default_factory=dict)

    def current(self, variant: Variant) -> int:
        """Replicas that are wanted now."""
        seen = self.inputs.observation.variant(variant.name)
        return seen.desired if seen is not None else variant.min_replicas

    def most(self, variant: Variant) -> int:
        """Replicas that may be planned: what is Ready where the rest is stocked out, what is not failing where some
        fail, `maxSurge` more than now, else `maxReplicas`. More of what crashes would crash too; the next best variant
        takes over meanwhile."""
        allowed = self._available(variant)
        surge = self.inputs.target.policy.max_surge
        if surge is not None:
            allowed = min(allowed, self.current(variant) + surge)
        return max(variant.min_replicas, min(allowed, variant.max_replicas))

    def rate(self, variant: Variant) -> float:
        """Requests/s of one replica."""
        return next((c.requests_per_s for c in self.capacities if c.variant == variant.name), 0.0)

    def _available(self, variant: Variant) -> int:
        observation = self.inputs.observation
        seen = observation.variant(variant.name)
        ready = seen.ready if seen is not None else 0
        if observation.at_s < self.stocked_out_until_s.get(variant.name, observation.at_s):
            return ready
        if seen is not None and seen.failed:
            return seen.ready + seen.pending
        if seen is not None and (seen.oldest_pending_s or 0.0) > self.inputs.target.policy.pending_deadline_s:
            return ready
        return variant.max_replicas


def fleet_usd(variants: Sequence[Variant], replicas: Mapping[str, int]) -> float:
    """Dollars an hour of a fleet."""
    return sum(v.usd_per_replica_hour * replicas.get(v.name, 0) for v in variants)


def carried(
    variants: Sequence[Variant],
    replicas: Mapping[str, int],
    rate: Callable[[Variant], float],
    routing: Routing = Routing.WEIGHTED,
) -> float:
    """Requests/s that a fleet carries: Both replicas, and the smaller of the Prefill and the Decode side."""
    pools = carried_by_role(variants, replicas, rate, routing)
    return pools[Role.BOTH] + min(pools[Role.PREFILL], pools[Role.DECODE])


def carried_by_role(
    variants: Sequence[Variant], replicas: Mapping[str, int], rate: Callable[[Variant], float], routing: Routing
) -> dict[Role, float]:
    """Requests/s that the replicas of each role can take."""
    return {role: _pool([v for v in variants if v.role is role], replicas, rate, routing) for role in Role}


def routing_weights(
    variants: Sequence[Variant],
    replicas: Mapping[str, int],
    rate: Callable[[Variant], float],
    routing: Routing = Routing.WEIGHTED,
) -> dict[str, float]:
    """The share of all requests that each variant's replicas together are taken to get; those without any are left out.

    Both and Prefill add up to 1, and so do Both and Decode, since a split request goes through one of each.
    """
    pools = carried_by_role(variants, replicas, rate, routing)
    split = min(pools[Role.PREFILL], pools[Role.DECODE])
    whole = pools[Role.BOTH] + split
    if whole <= 0:
        return {}
    shares = {Role.BOTH: pools[Role.BOTH] / whole, Role.PREFILL: split / whole, Role.DECODE: split / whole}
    found = {}
    for variant in variants:
        own = _pool([variant], replicas, rate, Routing.WEIGHTED)
        if own <= 0:
            continue
        peers = [v for v in variants if v.role is variant.role and rate(v) > 0]
        if routing is Routing.EVEN:
            within = replicas[variant.name] / sum(replicas.get(v.name, 0) for v in peers)
        else:
            within = own / pools[variant.role]
        found[variant.name] = shares[variant.role] * within
    return found


def _pool(
    variants: Sequence[Variant], replicas: Mapping[str, int], rate: Callable[[Variant], float], routing: Routing
) -> float:
    """Requests/s of the replicas of one role. Evenly balanced, each gets as many as the slowest can serve."""
    served = [(rate(v), replicas.get(v.name, 0)) for v in variants if rate(v) > 0 and replicas.get(v.name, 0) > 0]
    if routing is Routing.EVEN:
        return min((r for r, _ in served), default=0.0) * sum(n for _, n in served)
    return sum(r * n for r, n in served)
