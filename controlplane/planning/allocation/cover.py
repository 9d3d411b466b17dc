"""The cheapest fleet of one target on its own: an integer covering knapsack, by depth-first branch and bound.

One target needs no linear program: sorted by cost per request/s, the greedy fill is nearly the best, and `cost so far +
rest x best ratio left` bounds what a branch can reach (Martello & Toth, *Knapsack Problems*, 1990, section 2.5). It
takes a tenth of a millisecond, where a call of a general solver takes several, and a group has hundreds of targets.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from controlplane.domain.target import Role
from controlplane.planning.allocation.claim import SIDES, TOLERANCE, Claim, Fleet, rate_levels
from controlplane.planning.allocation.spread import Domain

SEARCH_NODES = 20_000
"""Branches of one search; usual ones take tens. The first dive already gives a fleet that carries everything."""
SPREAD_NODES = 400
"""The same where failure domains are limited, which makes a branch several times as dear. The first dive fills
each domain; 400 leave less than 0.03 % to the best of 150 targets of the benchmark, 200 left 8 % in one."""
SEARCH_GAP = 1e-4
"""A branch that could save less than this share is not followed: a cent in a hundred dollars."""
RISK_STEPS = 3
"""Levels that are weighed on either side of the newsvendor's, within a replica of it."""

_Found = tuple[float, dict[int, int]]
"""$/h and added replicas by place."""


@dataclass(frozen=True, slots=True)
class _Item:
    """At most `most` replicas of the variant at `place`, at `usd` each, counted for `rate`."""

    place: int
    usd: float
    rate: float
    most: int


_Levels = list[tuple[list[_Item], float]]
"""Ways to count one role's replicas: the items that may be added, and what `base` carries."""


def cheapest(
    claim: Claim, wanted: float, prices: Mapping[str, float] | None = None, spread: bool = False
) -> Fleet | None:
    """The least-cost fleet that carries `wanted` requests/s and, where it shrinks, the margin more; None where none
    does. `prices` are $/h that a GPU of an accelerator is worth to others. Spot limits are not looked at.

    Where more may come, the fleets about the newsvendor's level are weighed by what they are likely to miss. With
    `spread`, failure domains keep to their share (see `_Spread`): None also where that is not found.
    """
    if claim.fixed:
        return claim.low
    first = _cheapest(claim, wanted, prices or {}, spread)
    if first is None or not claim.risk:
        return first
    levels = _levels_at_risk(claim, wanted, prices or {})
    found = [first, *(_cheapest(claim, level, prices or {}, spread) for level in levels)]
    able = [fleet for fleet in found if fleet is not None]
    less = [fewer for fleet in able for fewer in one_less(claim, fleet) if claim.missing(fewer, wanted) <= 0]
    if spread:
        less = [fleet for fleet in less if claim.crowding(fleet) <= 0]
    awake = min(claim.asleep(fleet) for fleet in able)
    return min((f for f in (*able, *less) if claim.asleep(f) <= awake), key=lambda fleet: claim.cost(fleet, prices))


def _levels_at_risk(claim: Claim, wanted: float, prices: Mapping[str, float]) -> list[float]:
    """Requests/s to weigh above `wanted`: up to a replica on either side of the load up to which a request/s more costs
    less than what it is likely to save, whether its replica runs already or must start."""
    replica = max(claim.rates)
    found: set[float] = set()
    for starts in (False, True):
        usd = _marginal_usd(claim, prices, starts)
        worth = [rps for rps, _ in claim.risk if sum(saved for load, saved in claim.risk if load >= rps) >= usd]
        at = max([wanted, *worth])
        steps = [at + replica * step / RISK_STEPS for step in range(-RISK_STEPS, RISK_STEPS + 1)]
        loads = [rps for rps, _ in claim.risk if abs(rps - at) <= replica]
        found.update(min(level, claim.reachable) for level in (*steps, *loads))
    return sorted(level for level in found if level > wanted)


def _marginal_usd(claim: Claim, prices: Mapping[str, float], starts: bool) -> float:
    """$/h of a request/s more, where it is cheapest."""
    best = dict.fromkeys(Role, math.inf)
    for place, variant in enumerate(claim.variants):
        if claim.rates[place] > 0:
            usd = claim.usd[place] + variant.gpus_per_replica * prices.get(variant.accelerator, 0.0)
            usd += claim.start_usd[place] if starts else 0.0
            best[variant.role] = min(best[variant.role], usd / claim.rates[place])
    return min(best[Role.BOTH], best[Role.PREFILL] + best[Role.DECODE])


def one_less(claim: Claim, fleet: Fleet) -> list[Fleet]:
    """The fleets with one replica less of one variant, within the lower bounds."""
    return [
        tuple(n - (at == place) for at, n in enumerate(fleet))
        for place in range(len(fleet))
        if fleet[place] > claim.low[place]
    ]


def _cheapest(claim: Claim, wanted: float, prices: Mapping[str, float], spread: bool) -> Fleet | None:
    keep, low = _awake(claim, claim.keep), _awake(claim, claim.low)
    fleet = [0] * len(low)
    for part in claim.parts:
        options = [_grown(claim, part, keep, wanted, prices, spread)]
        if keep != low:
            options.append(_grown(claim, part, low, claim.padded(wanted, part), prices, spread))
        found = [option for option in options if option is not None]
        if not found:
            return None
        # The first of equals: what runs is kept. What may be missed is weighed by `cheapest`, not here.
        best = min(found, key=lambda option: claim.spent(option, prices))
        for place in claim.places(*part):
            fleet[place] = best[place]
    return tuple(fleet)


def _awake(claim: Claim, base: Fleet) -> Fleet:
    """`base`, and of a target that can carry nothing at all one cheapest replica a side; see `Claim.asleep`."""
    if claim.reachable > 0:
        return base
    fleet = list(base)
    for side in SIDES:
        places = [i for i in claim.places(*side) if claim.high[i] > 0]
        if places and not any(fleet[i] for i in places):
            fleet[min(places, key=lambda i: (claim.usd[i], i))] = 1
    return tuple(fleet)


def _grown(
    claim: Claim, part: Sequence[Role], base: Fleet, wanted: float, prices: Mapping[str, float], spread: bool
) -> Fleet | None:
    """`base` and the cheapest replicas of a part of the roles added to it that carry `wanted`; the rest is nought."""
    both = _levels(claim, base, prices, Role.BOTH)
    halves = [role for role in (Role.PREFILL, Role.DECODE) if role in part]
    sides = [_levels(claim, base, prices, role) for role in halves]
    need = wanted * (1.0 - TOLERANCE)
    if claim.reachable > 0 and any(not any(base[i] for i in claim.places(*side)) for side in SIDES):
        need = max(need, TOLERANCE)  # at least one replica on either side

    if spread and both and all(sides):
        return None  # How much of the work each role has is not known before it is solved.
    kept = {role: _Spread.of(claim, base, role, need) for role in part} if spread else {}
    if any(limits is not None and not limits.possible for limits in kept.values()):
        return None

    @cache
    def split(rest: float) -> _Found | None:
        return _joined(
            [_least(levels, rest, spread=kept.get(role)) for role, levels in zip(halves, sides, strict=True)]
        )

    if not both:
        found = split(need)
    elif all(sides):
        found = _least(both, need, split, sum(_best_ratio(levels) for levels in sides))
    else:
        found = _least(both, need, spread=kept.get(Role.BOTH))
    if found is None:
        return None
    own = claim.places(*part)
    return tuple(n + found[1].get(place, 0) if place in own else 0 for place, n in enumerate(base))


def _best_ratio(levels: _Levels) -> float:
    return min((item.usd / item.rate for items, _ in levels for item in items), default=math.inf)


def _joined(parts: Sequence[_Found | None]) -> _Found | None:
    if any(part is None for part in parts):
        return None
    whole = [part for part in parts if part is not None]
    return sum(usd for usd, _ in whole), {place: n for _, added in whole for place, n in added.items()}


def _levels(claim: Claim, base: Fleet, prices: Mapping[str, float], role: Role) -> _Levels:
    places = claim.places(role)
    found: _Levels = []
    for level in rate_levels([claim.rates[i] for i in places], [base[i] for i in places], claim.routing):
        items = [item for i, rate in zip(places, level, strict=True) for item in _items(claim, base, prices, i, rate)]
        found.append((sorted(items, key=_by_ratio), sum(r * base[i] for i, r in zip(places, level, strict=True))))
    return found if places else []


def _items(claim: Claim, base: Fleet, prices: Mapping[str, float], place: int, rate: float) -> list[_Item]:
    """What runs costs its hours; what does not also costs its start."""
    variant = claim.variants[place]
    usd = claim.usd[place] + variant.gpus_per_replica * prices.get(variant.accelerator, 0.0)
    running = max(0, min(claim.current[place], claim.high[place]) - base[place])
    new = claim.high[place] - base[place] - running
    both = (_Item(place, usd, rate, running), _Item(place, usd + claim.start_usd[place], rate, new))
    return [item for item in both if item.most > 0 and item.rate > 0]


def _by_ratio(item: _Item) -> tuple[float, int]:
    return item.usd / item.rate, item.place


def _least(
    levels: _Levels,
    need: float,
    tail: Callable[[float], _Found | None] | None = None,
    tail_ratio: float = math.inf,
    spread: _Spread | None = None,
) -> _Found | None:
    """The cheapest over all ways to count; `tail` may carry the rest, at no less than `tail_ratio` $ per request/s."""
    searches = [_Search(items, tail, tail_ratio, spread).run(need - base) for items, base in levels]
    return min((found for found in searches if found is not None), key=lambda found: found[0], default=None)


@dataclass(frozen=True, slots=True)
class _Spread:
    """The failure domains of one role, by the places of their variants, while replicas are added to `base` until there
    are `total` requests/s.

    By how much a fleet will carry more than that is not known before it is found, so no room is seen in it, nor in a
    replica more than is needed, elsewhere, for a domain's sake. Either is worth something only where a few replicas are
    very unlike, or counted by the slowest; the general solver looks at those.
    """

    domains: Mapping[int, Domain]
    base: Fleet
    total: float

    @classmethod
    def of(cls, claim: Claim, base: Fleet, role: Role, need: float) -> _Spread | None:
        """None where the role's domains are not limited."""
        domains = {place: domain for domain in claim.domains if domain.role is role for place in domain.own}
        total = max(need, sum(claim.rates[i] * base[i] for i in claim.places(role)))
        return cls(domains, base, total) if domains else None

    @property
    def possible(self) -> bool:
        """Whether what is there at the start keeps to the shares."""
        return all(self._room(domain, self.base) >= 0 for domain in self.domains.values())

    def fits(self, place: int, added: Mapping[int, int]) -> int:
        """Replicas of the variant at `place` that may come to those `added` before."""
        domain = self.domains.get(place)
        if domain is None:
            return sys.maxsize
        fleet = list(self.base)
        for at, n in added.items():
            fleet[at] += n
        fleet[place] += 1
        return max(0, 1 + math.floor(self._room(domain, fleet) / domain.rates[place] + TOLERANCE))

    def _room(self, domain: Domain, fleet: Sequence[int]) -> float:
        """Requests/s that the domain may have beside those of a fleet."""
        return domain.most(fleet, self.total) * (1.0 + TOLERANCE) - domain.held(fleet)


@dataclass(slots=True)
class _Search:
    """One branch and bound over items in the order of their cost per request/s."""

    items: Sequence[_Item]
    tail: Callable[[float], _Found | None] | None
    tail_ratio: float
    spread: _Spread | None = None
    best: _Found | None = None
    taken: dict[int, int] = field(default_factory=dict)
    nodes: int = 0
    ratios: list[float] = field(default_factory=list)
    left: list[float] = field(default_factory=list)

    def run(self, need: float) -> _Found | None:
        """The cheapest replicas that carry `need`; None where nothing does."""
        ratios = [item.usd / item.rate for item in self.items]
        self.ratios = [min(ratio, self.tail_ratio) for ratio in (*ratios, self.tail_ratio)]
        self.left = [sum(i.rate * i.most for i in self.items[place:]) for place in range(len(self.items) + 1)]
        self._go(0, need, 0.0)
        return self.best

    def _go(self, place: int, rest: float, usd: float) -> None:
        self.nodes += 1
        if rest <= 0:
            self._end(0.0, usd, {})
            return
        if self.tail is None and rest > self.left[place] + TOLERANCE * rest:
            return
        if self._hopeless(usd + rest * self.ratios[place]) or self.nodes > self._most_nodes:
            return
        if place == len(self.items):
            found = None if self.tail is None else self.tail(rest)
            if found is not None:
                self._end(found[0], usd, found[1])
            return
        item = self.items[place]
        most = min(item.most, math.ceil(rest / item.rate))
        if self.spread is not None:
            most = min(most, self.spread.fits(item.place, self._added({})))
        for n in range(most, -1, -1):
            self.taken[place] = n
            self._go(place + 1, rest - n * item.rate, usd + n * item.usd)
        self.taken[place] = 0

    def _hopeless(self, bound: float) -> bool:
        return self.best is not None and bound >= self.best[0] * (1.0 - SEARCH_GAP)

    def _end(self, more_usd: float, usd: float, more: Mapping[int, int]) -> None:
        if self.best is not None and usd + more_usd >= self.best[0]:
            return
        self.best = usd + more_usd, self._added(more)

    def _added(self, more: Mapping[int, int]) -> dict[int, int]:
        added = dict(more)
        for place, n in self.taken.items():
            if n:
                variant = self.items[place].place
                added[variant] = added.get(variant, 0) + n
        return added

    @property
    def _most_nodes(self) -> int:
        return SEARCH_NODES if self.spread is None else SPREAD_NODES
