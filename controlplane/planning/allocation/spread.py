"""How much of a role's capacity may be in one failure domain, and by how much a fleet passes that.

A share of a fleet of a few replicas is never exact, and two zones whose replicas were measured a percent apart are
never even. So a domain may have its share of the role's capacity rounded up to a whole replica: 3 replicas in two zones
at a share of a half are 2 and 1, and one replica is wherever it is, as with a skew of one in Kubernetes' own
topologySpreadConstraints. Whoever wants a replica in every zone at any load says minReplicas. What must run runs, also
where it is more than the share; no more of that domain is added until the others have caught up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from controlplane.domain.target import Role, Variant

STANDING = 0.02
"""Share of the role's capacity by which what stands may be above it beyond that: rates are learned anew every minute,
and a fleet at its limit would change zones with every percent. What stands is no room for more."""
TOLERANCE = 1e-6
"""Share of the role's capacity that counts as nothing: a solver's tolerance."""


@dataclass(frozen=True, slots=True)
class Domain:
    """One failure domain of one role, and its share of the role's capacity, in (0, 1). `own` are the places of its
    variants, `among` those of all of the role that can carry anything; by place, `rates` are requests/s of a replica
    and `low` what must run. `standing` requests/s that stand now above the share are left where they are."""

    name: str
    role: Role
    own: tuple[int, ...]
    among: tuple[int, ...]
    share: float
    rates: tuple[float, ...]
    low: tuple[int, ...]
    standing: float = 0.0

    @property
    def forced(self) -> float:
        """What must run of it, requests/s."""
        return self.held(self.low)

    @property
    def rounding(self) -> float:
        """The part of one of its replicas by which the domain may be above the share.

        Of n domains with a share of 1/n, whose fleet is a replica more than even, one is 1 - 1/n above it; with another
        replica moved there it would be a whole one. Halfway between, neither hangs on rates that are measured some
        percent apart: 3 and 3 are not even to the last digit, 4 and 2 are not nearly so.
        """
        return 1.0 - self.share / 2.0

    def held(self, fleet: Sequence[int]) -> float:
        """Its capacity, requests/s."""
        return sum(self.rates[i] * fleet[i] for i in self.own)

    def total(self, fleet: Sequence[int]) -> float:
        """The role's capacity, requests/s."""
        return sum(self.rates[i] * fleet[i] for i in self.among)

    def beyond(self, fleet: Sequence[int]) -> float:
        """Requests/s above the share, of which nothing is rounded; below nought where there are fewer."""
        return self.held(fleet) - self.share * self.total(fleet)

    def most(self, fleet: Sequence[int], total: float) -> float:
        """Requests/s that it may have where it has these replicas and the role `total` requests/s."""
        return max(self.forced, self.share * total + self._rounded(fleet))

    def over(self, fleet: Sequence[int]) -> float:
        """Requests/s above the share rounded up; below nought where there are fewer."""
        return self.beyond(fleet) - self._rounded(fleet)

    def _rounded(self, fleet: Sequence[int]) -> float:
        largest = max((self.rates[i] for i in self.own if fleet[i]), default=0.0)
        return max(self.rounding * largest, self.standing)

    def excess(self, fleet: Sequence[int]) -> float:
        """Requests/s above what the domain may have; nought where it keeps to it."""
        if not any(fleet[i] > self.low[i] for i in self.own):
            return 0.0
        most = min(self.over(fleet), self.held(fleet) - self.forced)
        return most if most > TOLERANCE * self.total(fleet) else 0.0


def domains_of(
    variants: Sequence[Variant],
    rates: tuple[float, ...],
    low: tuple[int, ...],
    keep: Sequence[int],
    share: float | None,
) -> tuple[Domain, ...]:
    """Every domain of every role, where they are limited: in the order of the variants."""
    if share is None or share >= 1.0:
        return ()
    found = []
    for role in Role:
        among = tuple(i for i, v in enumerate(variants) if v.role is role and rates[i] > 0)
        for name in dict.fromkeys(variants[i].failure_domain for i in among):
            if name is not None:
                own = tuple(i for i in among if variants[i].failure_domain == name)
                found.append(_with_standing(Domain(name, role, own, among, share, rates, low), keep))
    return tuple(found)


def _with_standing(domain: Domain, keep: Sequence[int]) -> Domain:
    """As it is where what stands is about even; of what is far from it nothing is left standing."""
    beyond = domain.beyond(keep)
    return replace(domain, standing=beyond) if 0 < beyond <= STANDING * domain.total(keep) else domain


def without_each(variants: Sequence[Variant], fleet: Sequence[int]) -> list[tuple[int, ...]]:
    """What is left of a fleet without each of its failure domains, over all roles."""
    names = dict.fromkeys(v.failure_domain for v in variants if v.failure_domain is not None)
    both = list(zip(variants, fleet, strict=True))
    return [tuple(0 if v.failure_domain == name else n for v, n in both) for name in names]
