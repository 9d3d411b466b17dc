"""The mixed-integer program of several targets that compete for accelerators.

Columns per variant: replicas `n`; where some run, `up >= n - current`, which pays for the cold start. Per target:
`split`, the requests/s that go through Prefill and Decode replicas instead of Both; `short`, those within its bounds
that nobody carries; `missed`, those of each load that may come; `down`, whether any variant gets less than runs. Per
role of a target behind an even router: which rate its slowest replica has, and what the role carries by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from controlplane.domain.target import Role, Routing
from controlplane.planning.allocation.claim import SIDES, Claim, Fleet, rate_levels
from controlplane.planning.allocation.model import Model
from controlplane.planning.allocation.spread import Domain

ASLEEP_USD = 1000.0
"""$/h that a target without any replica counts as: more than one replica of the largest machine costs."""
CROWDED_PRICE = 2.0
"""Price of a request/s in a failure domain beyond what that may have, where it cannot be kept to, in multiples of the
dearest way to carry it: having it elsewhere always pays, also with its start; buying more than the load needs, to make
a share of it smaller, does not."""


@dataclass(slots=True)
class Program:
    """Targets and the GPUs that they may use together, by accelerator; one that is absent is not limited. `prices` are
    $/h that a GPU of an accelerator is worth to others."""

    claims: Sequence[Claim]
    limits: Mapping[str, int]
    prices: Mapping[str, float] = field(default_factory=dict)
    model: Model = field(default_factory=Model)
    cost: dict[int, float] = field(default_factory=dict)
    short: list[int] = field(default_factory=list)
    """The column of each claim's requests/s that nobody carries."""
    crowded: list[int] = field(default_factory=list)
    """The columns of the requests/s that are in failure domains beyond what those may have."""
    _counts: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for claim in self.claims:
            self._counts.append([self._variant(claim, place) for place in range(len(claim.variants))])
            self.short.append(self.model.column(0.0, 0.0 if claim.fixed else claim.reach))
            if not claim.fixed:
                self._target(claim, self._counts[-1], self.short[-1])
        for accelerator, gpus in self.limits.items():
            self._inventory(accelerator, gpus)

    def allow_short(self, allowed: Sequence[float]) -> None:
        """Bound what is not carried, requests/s by claim."""
        for column, upper in zip(self.short, allowed, strict=True):
            self.model.upper[column] = max(0.0, upper)

    def allow_crowding(self) -> bool:
        """Let failure domains have more than their share, at a price; whether any is limited at all."""
        for column in self.crowded:
            self.model.upper[column] = np.inf
        return bool(self.crowded)

    def fleets(self, values: NDArray[np.float64]) -> list[Fleet]:
        """The replicas of a solution."""
        return [tuple(round(float(values[column])) for column in columns) for columns in self._counts]

    def shorts(self, values: NDArray[np.float64]) -> list[float]:
        """Requests/s within reach that a solution leaves."""
        return [float(values[column]) for column in self.short]

    def _variant(self, claim: Claim, place: int) -> int:
        low, high, current = claim.low[place], claim.high[place], claim.current[place]
        variant = claim.variants[place]
        usd = claim.usd[place] + variant.gpus_per_replica * self.prices.get(variant.accelerator, 0.0)
        replicas = self.model.column(low, high, whole=True)
        if current <= low:
            self.cost[replicas] = usd + claim.start_usd[place]
            return replicas
        self.cost[replicas] = usd
        if high > current:
            up = self.model.column(0.0, high - current)
            self.cost[up] = claim.start_usd[place]
            self.model.row({up: 1.0, replicas: -1.0}, lower=-float(current))
        return replicas

    def _target(self, claim: Claim, counts: Sequence[int], short: int) -> None:
        parts = {role: self._carried(claim, counts, role) for role in Role}
        total = dict(parts[Role.BOTH])
        if parts[Role.PREFILL] and parts[Role.DECODE]:
            split = self.model.column(0.0, claim.reachable)
            total[split] = 1.0
            for role in (Role.PREFILL, Role.DECODE):
                self.model.row({**parts[role], split: -1.0}, lower=0.0)
        self.model.row({**total, short: 1.0}, lower=claim.reach)
        for side in SIDES:
            able = [counts[i] for i in claim.places(*side) if claim.high[i] >= 1]
            if able:  # Soft, since there may be fewer GPUs than targets.
                asleep = self.model.column(0.0, 1.0)
                self.cost[asleep] = ASLEEP_USD
                self.model.row({**dict.fromkeys(able, 1.0), asleep: 1.0}, lower=1.0)
        for part in claim.parts:
            self._margin(claim, counts, part, total if len(part) > 1 else parts[part[0]])
        for rps, usd in claim.risk:
            missed = self.model.column()
            self.cost[missed] = usd
            self.model.row({**total, missed: 1.0}, lower=rps)
        if claim.limits_spot:
            self._spot(claim, counts)
        for domain in claim.domains:
            self._domain(claim, counts, domain)

    def _carried(self, claim: Claim, counts: Sequence[int], role: Role) -> dict[int, float]:
        """Columns and coefficients whose sum is what the role's replicas carry, requests/s."""
        places = claim.places(role)
        if claim.routing is Routing.WEIGHTED or len({claim.rates[i] for i in places if claim.rates[i] > 0}) <= 1:
            return {counts[i]: claim.rates[i] for i in places}
        levels = rate_levels([claim.rates[i] for i in places], [claim.low[i] for i in places], claim.routing)
        chosen = [self.model.column(0.0, 1.0, whole=True) for _ in levels]
        carried = self.model.column(0.0)
        most = max(claim.rates[i] for i in places) * sum(claim.high[i] for i in places)
        self.model.row(dict.fromkeys(chosen, 1.0), lower=1.0, upper=1.0)
        for level, column in zip(levels, chosen, strict=True):
            counted = {counts[i]: -rate for i, rate in zip(places, level, strict=True)}
            self.model.row({**counted, carried: 1.0, column: most}, upper=most)
        for at, place in enumerate(places):
            slow = [column for level, column in zip(levels, chosen, strict=True) if level[at] == 0.0]
            if claim.rates[place] > 0 and slow:  # Where a faster one is the slowest, this one must not run.
                blocked = dict.fromkeys(slow, float(claim.high[place]))
                self.model.row({counts[place]: 1.0, **blocked}, upper=float(claim.high[place]))
        return {carried: 1.0}

    def _margin(
        self, claim: Claim, counts: Sequence[int], part: tuple[Role, ...], carried: Mapping[int, float]
    ) -> None:
        """Less of any variant than runs, only with room to spare, lest the next ripple starts it again."""
        shrinking = [i for i in claim.places(*part) if claim.keep[i] > claim.low[i]]
        padded = claim.padded(claim.reach, part)
        if not shrinking or claim.reach <= 0:
            return
        down = self.model.column(0.0, 1.0, whole=True)
        for i in shrinking:
            self.model.row({counts[i]: 1.0, down: float(claim.keep[i] - claim.low[i])}, lower=float(claim.keep[i]))
        short = self.short[-1]
        self.model.row({**carried, short: padded / claim.reach, down: claim.reach - padded}, lower=claim.reach)

    def _spot(self, claim: Claim, counts: Sequence[int]) -> None:
        """Limits on the shares of a role's capacity; what must run is not counted against them."""
        for pool, places, share in claim.spot_pools():
            limited = {counts[i]: claim.rates[i] * ((i in pool) - share) for i in places}
            forced = sum(claim.rates[i] * claim.low[i] for i in pool)
            self.model.row(limited, upper=forced * (1.0 - share))

    def _domain(self, claim: Claim, counts: Sequence[int], domain: Domain) -> None:
        """A failure domain's share of a role's capacity, rounded up to a replica; see `Domain.excess`."""
        crowded = self.model.column(0.0, 0.0)
        self.crowded.append(crowded)
        self.cost[crowded] = CROWDED_PRICE * claim.dearest
        limited = {counts[i]: claim.rates[i] * ((i in domain.own) - domain.share) for i in domain.among}
        room, rounding = self._rounding(claim, counts, domain)
        limited.update({crowded: -1.0, **rounding})
        if domain.over(domain.low) > 0:
            self._stays(claim, counts, domain, limited)
        self.model.row(limited, upper=room)

    def _rounding(self, claim: Claim, counts: Sequence[int], domain: Domain) -> tuple[float, dict[int, float]]:
        """Requests/s by which the share is rounded up: a number, and columns that add to it. It is by the largest
        replica that runs, so replicas of several sizes are asked which do."""
        sizes = {i: domain.rounding * claim.rates[i] for i in domain.own}
        room = max(min(sizes.values()), domain.standing)
        larger = {i: size for i, size in sizes.items() if size > room}
        if len(set(sizes.values())) == 1 or not larger:
            return max(room, *sizes.values()), {}
        runs = {i: self.model.column(0.0, 1.0) for i in larger}
        for i, column in runs.items():
            self.model.row({counts[i]: 1.0, column: -1.0}, lower=0.0)
        self.model.row(dict.fromkeys(runs.values(), 1.0), upper=1.0)
        return room, {column: -(larger[i] - room) for i, column in runs.items()}

    def _stays(self, claim: Claim, counts: Sequence[int], domain: Domain, limited: dict[int, float]) -> None:
        """What must run may be more than the share, where nothing is added to it."""
        stays = self.model.column(0.0, 1.0, whole=True)
        for i in domain.own:
            most = float(claim.high[i] - claim.low[i])
            if most > 0:
                self.model.row({counts[i]: 1.0, stays: most}, upper=float(claim.high[i]))
        limited[stays] = -domain.forced

    def _inventory(self, accelerator: str, gpus: int) -> None:
        used: dict[int, float] = {}
        least = 0
        for claim, counts in zip(self.claims, self._counts, strict=True):
            for place, variant in enumerate(claim.variants):
                if variant.accelerator == accelerator:
                    used[counts[place]] = float(variant.gpus_per_replica)
                    least += claim.low[place] * variant.gpus_per_replica
        if used:  # What must run or is left alone runs, even where the inventory has shrunk below it.
            self.model.row(used, upper=float(max(gpus, least)))
