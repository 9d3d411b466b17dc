"""What one target asks of the solvers, in plain numbers: bounds, rates, prices, and the demand within reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from controlplane.domain.decision import Demand
from controlplane.domain.target import CapacityType, Preference, Role, Routing, Variant
from controlplane.planning.allocation.ask import Ask
from controlplane.planning.allocation.spread import Domain, domains_of, without_each
from controlplane.planning.cold_starts import default_cold_start

SECONDS_PER_HOUR = 3600.0
TOLERANCE = 1e-9
"""Share of a demand that may be missing and still counts as carried: what floating point loses."""

SIDES = ((Role.BOTH, Role.PREFILL), (Role.BOTH, Role.DECODE))
"""Roles that stand in for one another: either half of a request's work."""
UNLIKELY = 1e-6
"""Probability of a load below which it is not looked at: its price would be lost in the solver's tolerances."""

PREFERENCE_WEIGHTS = {Preference.PREFER: 0.8, Preference.NEUTRAL: 1.0, Preference.AVOID: 1.25}
"""By which prices are multiplied where fleets are compared. A fifth is more than what separates neighbouring offers of
one accelerator (clouds, regions, a year's commitment), so a preference decides between them; and less than what
separates two accelerators for one model, so it does not buy one that does the work at twice the cost. The two are each
other's inverse: avoiding all but one is preferring that one."""

FILLER_HOURS = 2.0
FILLER_FLEET = 3.0
"""Hours of its price that it costs to begin with a variant that is dearer by the request than one that runs, in a fleet
of many; none where `FILLER_FLEET` replicas carry all. There it is at most a filling for the last replica, wanted for
minutes: the load goes on, its start was paid for, nothing was learned of it, and the replica comes all the same. On the
league's three GPU types 0.5 and 1 hour cost 1 to 2 % more, and none 4 to 5 %."""

Fleet = tuple[int, ...]
"""Replicas, in the order of the claim's variants."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One target. Tuples are in the order of `variants`; `usd` and `start_usd` are $/h of a replica and of starting it.

    `current` is what is wanted now, `keep` that within the bounds; `roles` the places of each role's variants; `wanted`
    is the demand in requests/s and `reachable` what the bounds allow at most. A target that is `fixed` wants nothing
    and stays as it is. What has less of any variant than `keep` must carry `down_margin` more.
    """

    key: str
    variants: tuple[Variant, ...]
    low: Fleet
    high: Fleet
    current: Fleet
    rates: tuple[float, ...]
    usd: tuple[float, ...]
    start_usd: tuple[float, ...]
    wanted: float
    reachable: float
    fixed: bool
    down_margin: float
    keep: Fleet
    roles: Mapping[Role, tuple[int, ...]]
    routing: Routing = Routing.WEIGHTED
    priority: int = 0
    weight: float = 1.0
    max_spot_share: float = 1.0
    max_pool_share: float = 1.0
    domains: tuple[Domain, ...] = ()
    """The failure domains of each role, where their share of it is limited."""
    risk: tuple[tuple[float, float], ...] = ()
    """Loads that may come, requests/s, and what a request/s of each that is not carried costs in expectation, $/h."""

    @property
    def reach(self) -> float:
        """The part of the demand that the bounds allow, requests/s."""
        return min(self.wanted, self.reachable)

    @property
    def limits_spot(self) -> bool:
        """Whether a limit on spot capacity can bind."""
        spot = any(v.capacity_type is CapacityType.SPOT for v in self.variants)
        return spot and min(self.max_spot_share, self.max_pool_share) < 1.0

    def spot_allowed(self, fleet: Sequence[int]) -> bool:
        """Whether a fleet keeps to the limits on Spot; what must run is not counted against them."""
        return not self.limits_spot or all(
            sum(self.rates[i] * (fleet[i] - self.low[i] * (1.0 - share)) for i in pool)
            <= share * sum(self.rates[i] * fleet[i] for i in places) + TOLERANCE
            for pool, places, share in self.spot_pools()
        )

    def spot_pools(self) -> list[tuple[list[int], list[int], float]]:
        """Places of Spot variants, of all variants of their role, and the share of the latter's capacity that the
        former may have."""
        found = []
        for role in Role:
            places = [i for i in self.places(role) if self.rates[i] > 0]
            spot = [i for i in places if self.variants[i].capacity_type is CapacityType.SPOT]
            found.append((spot, places, self.max_spot_share))
            found.extend(([i], places, self.max_pool_share) for i in spot)
        return [(pool, places, share) for pool, places, share in found if pool and share < 1.0]

    def reclaim_loss(self, fleet: Sequence[int]) -> float:
        """Requests/s that are no longer carried when the Spot variant that carries most is reclaimed."""
        left = [
            self.carried([0 if at == place else n for at, n in enumerate(fleet)])
            for place, variant in enumerate(self.variants)
            if variant.capacity_type is CapacityType.SPOT and fleet[place]
        ]
        return max((self.carried(fleet) - rest for rest in left), default=0.0)

    def crowding(self, fleet: Sequence[int]) -> float:
        """Requests/s that are in failure domains beyond what those may have."""
        return sum(domain.excess(fleet) for domain in self.domains)

    def allowed(self, fleet: Sequence[int]) -> bool:
        """Whether a fleet keeps to the limits on shares: of Spot, and of each failure domain."""
        return self.spot_allowed(fleet) and self.crowding(fleet) <= 0

    def domain_loss(self, fleet: Sequence[int]) -> float | None:
        """Requests/s that are no longer carried when the failure domain that carries most is lost; None where no
        variant says in which it is."""
        left = [self.carried(rest) for rest in without_each(self.variants, fleet)]
        return self.carried(fleet) - min(left) if left else None

    def places(self, *roles: Role) -> list[int]:
        """Places of the variants of these roles."""
        return [i for role in roles for i in self.roles[role]]

    def carried(self, fleet: Sequence[int]) -> float:
        """Requests/s of a fleet."""
        pools = self._by_role(fleet)
        return pools[Role.BOTH] + min(pools[Role.PREFILL], pools[Role.DECODE])

    def cost(self, fleet: Sequence[int], prices: Mapping[str, float] | None = None) -> float:
        """$/h of a fleet, of starting what does not run yet, and of what is likely to be missed (the newsvendor's cost:
        Arrow, Harris & Marschak, *Econometrica* 1951), with what each GPU is worth to the group."""
        own = self.spent(fleet, prices)
        if self.risk:
            served = self.carried(fleet)
            own += sum(usd * max(0.0, rps - served) for rps, usd in self.risk)
        return own

    def spent(self, fleet: Sequence[int], prices: Mapping[str, float] | None = None) -> float:
        """`cost` without what is likely to be missed."""
        paid = zip(fleet, self.current, self.usd, self.start_usd, strict=True)
        own = sum(n * usd + max(0, n - now) * start for n, now, usd, start in paid)
        return own + sum((prices or {}).get(a, 0.0) * gpus for a, gpus in self.gpus(fleet).items())

    def gpus(self, fleet: Sequence[int]) -> dict[str, int]:
        """GPUs of a fleet by accelerator."""
        used: dict[str, int] = {}
        for variant, replicas in zip(self.variants, fleet, strict=True):
            used[variant.accelerator] = used.get(variant.accelerator, 0) + variant.gpus_per_replica * replicas
        return used

    def named(self, fleet: Sequence[int]) -> dict[str, int]:
        """Replicas by variant name."""
        return {v.name: n for v, n in zip(self.variants, fleet, strict=True)}

    def padded(self, wanted: float, part: tuple[Role, ...]) -> float:
        """What a part must carry that has less of any variant: the margin more, as far as the bounds allow it, or as
        much as what stands. The latter is an exchange: nothing is given up by it, so a ripple does not undo it."""
        roomy = min(wanted * (1.0 + self.down_margin), self.reachable)
        return max(wanted, min(roomy, self._part(self.keep, part)))

    @property
    def parts(self) -> list[tuple[Role, ...]]:
        """Roles that go down together: either side of a target in two roles for itself, else all."""
        return [(Role.PREFILL,), (Role.DECODE,)] if not self.places(Role.BOTH) else [tuple(Role)]

    def missing(self, fleet: Sequence[int], wanted: float) -> float:
        """Requests/s by which a fleet fails to carry `wanted`, and the margin more in a part that shrinks."""
        most = 0.0
        for part in self.parts:
            shrinks = any(fleet[i] < self.keep[i] for i in self.places(*part))
            most = max(most, (self.padded(wanted, part) if shrinks else wanted) - self._part(fleet, part))
        return most if most > TOLERANCE * wanted else 0.0

    def _part(self, fleet: Sequence[int], part: tuple[Role, ...]) -> float:
        return self.carried(fleet) if len(part) > 1 else self._by_role(fleet)[part[0]]

    def _by_role(self, fleet: Sequence[int]) -> dict[Role, float]:
        """As `carried_by_role`, which is for those who have names; this is asked thousands of times a plan."""
        if self.routing is Routing.WEIGHTED:
            return {role: sum(self.rates[i] * fleet[i] for i in own) for role, own in self.roles.items()}
        served = {role: [i for i in own if fleet[i] and self.rates[i] > 0] for role, own in self.roles.items()}
        slowest = {role: min((self.rates[i] for i in own), default=0.0) for role, own in served.items()}
        return {role: slowest[role] * sum(fleet[i] for i in own) for role, own in served.items()}

    def asleep(self, fleet: Sequence[int]) -> int:
        """Sides of the work, of two, without any replica though one is allowed. From zero nothing wakes: without a
        replica no page says that somebody waits."""
        sides = [[i for i in self.places(*side) if self.high[i] > 0] for side in SIDES]
        return sum(bool(places) and not any(fleet[i] for i in places) for places in sides)

    @property
    def dearest(self) -> float:
        """The most that a request/s may cost here, $/h."""
        return max((usd / r for usd, r in zip(self.usd, self.rates, strict=True) if r > 0), default=0.0) or 1e-3


def weighed_usd(variant: Variant) -> float:
    """$/h of a replica as it is compared with others; what is reported is the price itself."""
    return variant.usd_per_replica_hour * PREFERENCE_WEIGHTS[variant.preference]


def claim_of(ask: Ask, down_margin: float) -> Claim:
    """The numbers of one ask."""
    target, policy = ask.inputs.target, ask.inputs.target.policy
    variants = target.variants
    fixed = ask.demand is None
    # What is not known to be needed stays, but for its bounds, which hold always.
    current = tuple(ask.bound(v).kept(ask.current(v)) if fixed else ask.needed(v) for v in variants)
    low = current if fixed else tuple(ask.bound(v).low for v in variants)
    high = current if fixed else tuple(ask.most(v) for v in variants)
    rates = tuple(ask.rate(v) for v in variants)
    keep = tuple(max(lo, min(n, hi)) for lo, n, hi in zip(low, current, high, strict=True))
    wanted = 0.0 if ask.demand is None else ask.demand.requests_per_s
    usd = tuple(weighed_usd(v) for v in variants)
    starts = (ask.inputs.cold_starts.get(v.name) or default_cold_start(target, v) for v in variants)
    fillers = _filler_hours(variants, current, rates, usd, wanted)
    return Claim(
        key=target.key,
        variants=variants,
        low=low,
        high=high,
        current=current,
        rates=rates,
        usd=usd,
        # A replica that starts is paid for its cold start before it serves; spread over an hour of use.
        start_usd=tuple(p * (s.p50_s / SECONDS_PER_HOUR + h) for p, s, h in zip(usd, starts, fillers, strict=True)),
        wanted=wanted,
        reachable=reachable(variants, low, high, rates, policy.routing),
        fixed=fixed,
        down_margin=down_margin,
        keep=keep,
        roles={role: tuple(i for i, v in enumerate(variants) if v.role is role) for role in Role},
        routing=policy.routing,
        priority=policy.priority,
        weight=policy.weight,
        max_spot_share=policy.max_spot_share,
        max_pool_share=policy.max_pool_share,
        domains=domains_of(variants, rates, low, keep, policy.max_domain_share),
        risk=() if ask.demand is None else _risk(ask, ask.demand),
    )


def _filler_hours(
    variants: Sequence[Variant], current: Fleet, rates: Sequence[float], usd: Sequence[float], wanted: float
) -> list[float]:
    """Hours of each variant's price that it costs to begin with it, beside its cold start."""
    per_request = [p / r if r > 0 else float("inf") for p, r in zip(usd, rates, strict=True)]
    found = []
    for place, variant in enumerate(variants):
        running = [i for i, v in enumerate(variants) if v.role is variant.role and current[i] > 0 and rates[i] > 0]
        dearer = running and per_request[place] > min(per_request[i] for i in running)
        if current[place] > 0 or not dearer or wanted <= 0:
            found.append(0.0)
            continue
        fleet = wanted / max(rates[i] for i in running)
        found.append(FILLER_HOURS * (1.0 - FILLER_FLEET / fleet) if fleet > FILLER_FLEET else 0.0)
    return found


def _risk(ask: Ask, demand: Demand) -> tuple[tuple[float, float], ...]:
    """The scenarios and what a request/s missed in each costs. A price p beside a cost c of a request/s makes the
    quantile 1 - c/p the best; without a price, p is that of the policy's quantile."""
    policy = ask.inputs.target.policy
    ratios = [v.usd_per_replica_hour / ask.rate(v) for v in ask.inputs.target.variants if ask.rate(v) > 0]
    if policy.miss_usd_per_request is not None:
        usd = policy.miss_usd_per_request * SECONDS_PER_HOUR
    else:
        usd = min(ratios, default=0.0) / (1.0 - policy.forecast_quantile)
    return tuple((s.requests_per_s, s.probability * usd) for s in demand.scenarios if s.probability > UNLIKELY)


def reachable(
    variants: Sequence[Variant], low: Sequence[int], high: Sequence[int], rates: Sequence[float], routing: Routing
) -> float:
    """Requests/s that the largest fleet within the bounds carries. Spot limits are not looked at."""
    pools = {}
    for role in Role:
        places = [i for i, v in enumerate(variants) if v.role is role]
        levels = rate_levels([rates[i] for i in places], [low[i] for i in places], routing)
        pools[role] = max(
            (sum(served * high[i] for i, served in zip(places, level, strict=True)) for level in levels), default=0.0
        )
    return pools[Role.BOTH] + min(pools[Role.PREFILL], pools[Role.DECODE])


def rate_levels(rates: Sequence[float], low: Iterable[int], routing: Routing) -> list[tuple[float, ...]]:
    """What a replica of each variant of one role may count for; a fleet may be counted by any one of these.

    Weighted: its own rate. Even: for each slowest rate that may be in use, that rate for all that are as fast, and
    nought for the slower ones, which must not run; what must run bounds the level from above. A variant that cannot
    meet the SLO at all (rate 0) bounds nothing: no level would be left.
    """
    if routing is Routing.WEIGHTED:
        return [tuple(rates)]
    forced = min((r for r, least in zip(rates, low, strict=True) if least > 0 and r > 0), default=float("inf"))
    slowest = sorted({r for r in rates if 0 < r <= forced}, reverse=True)
    return [tuple(level if r >= level else 0.0 for r in rates) for level in slowest]
