"""One target as the allocation is asked for it, and what a fleet of it costs and carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from controlplane.domain.decision import Capacity, Demand, TargetInputs
from controlplane.domain.target import Role, Routing, Variant
from controlplane.planning.bounds import Bound
from controlplane.planning.outages import Cap, lost, served


@dataclass(frozen=True, slots=True)
class Ask:
    """One target as the program sees it. `demand` None: its replicas stay as they are.

    `stocked_out_until_s`: by variant name, the unix second until which no more of it can be had; what is Ready stays.
    """

    inputs: TargetInputs
    demand: Demand | None
    capacities: tuple[Capacity, ...]
    stocked_out_until_s: Mapping[str, float] = field(default_factory=dict)
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    """By variant; without one the variant's own."""
    caps: Mapping[str, tuple[Cap, ...]] = field(default_factory=dict)
    """What else limits a variant: outages, quotas."""

    def current(self, variant: Variant) -> int:
        """Replicas that are wanted now."""
        seen = self.inputs.observation.variant(variant.name)
        return seen.desired if seen is not None else variant.min_replicas

    def needed(self, variant: Variant) -> int:
        """Replicas that are wanted now, less those that are kept warm beyond the need and those that are lost."""
        if self.demand is None:
            return self.current(variant)
        kept, seen = self.inputs.memory.headroom.get(variant.name, 0), self.inputs.observation.variant(variant.name)
        return max(0, self.current(variant) - kept - (0 if seen is None else lost(seen)))

    def bound(self, variant: Variant) -> Bound:
        """Its bounds now."""
        return self.bounds.get(variant.name) or Bound.of(variant)

    def most(self, variant: Variant) -> int:
        """Replicas that may be planned: what is Ready where the rest is stocked out, what is not failing where some
        fail, `maxSurge` more than now, else `maxReplicas`. More of what crashes would crash too; the next best variant
        takes over meanwhile."""
        bound = self.bound(variant)
        return max(bound.low, min([bound.high, *(cap.most for cap in self._caps(variant))]))

    def held_by(self, variant: Variant) -> str:
        """What keeps the variant from having more than `most`, in words."""
        bound, caps = self.bound(variant), self._caps(variant)
        least = min(caps, key=lambda cap: cap.most, default=None)
        return least.words if least is not None and least.most < bound.high else bound.high_by

    def rate(self, variant: Variant) -> float:
        """Requests/s of one replica."""
        return next((c.requests_per_s for c in self.capacities if c.variant == variant.name), 0.0)

    def _caps(self, variant: Variant) -> list[Cap]:
        found = list(self.caps.get(variant.name, ()))
        observation, surge = self.inputs.observation, self.inputs.target.policy.max_surge
        if observation.at_s < self.stocked_out_until_s.get(variant.name, observation.at_s):
            seen = observation.variant(variant.name)
            found.append(Cap(served(seen) if seen else 0, f"{variant.name} is stocked out"))
        if surge is not None:
            found.append(Cap(self.current(variant) + surge, f"maxSurge {surge} of {variant.name}"))
        return found


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
