"""Many targets that compete for few accelerators: a price for each GPU, until what all want fits (Dantzig & Wolfe,
*Operations Research* 1960).

Hundreds of targets hang together by a handful of rows, one per short accelerator. So each target alone offers its
cheapest fleet at the GPUs' present prices, and a small linear program over the fleets offered so far mixes them and
sets the prices anew. Its bound closes within a few rounds, and its answer is whole but for as many targets as there are
accelerators; a mixed-integer program picks one fleet for each of those.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, eye_array, hstack

from controlplane.planning.allocation.alone import best_alone
from controlplane.planning.allocation.claim import Claim, Fleet
from controlplane.planning.allocation.cover import cheapest, one_less
from controlplane.planning.allocation.filling import free_gpus, polished
from controlplane.planning.allocation.model import Model
from controlplane.planning.allocation.program import ASLEEP_USD

ROUNDS = 20
"""Rounds of offers; usual ones end after five to ten."""
CLOSE = 2e-3
"""Relative distance to the bound at which the prices are good enough; the last program works to 5e-3."""
OVERDRAWN_USD = 1000.0
"""$/h of a GPU that is not there, while the fleets offered so far cannot do without."""
SHORT_PRICE = 30.0
"""Price of a request/s that is not carried, in multiples of the dearest way to carry it. Less would leave it uncarried
for cost's sake, much more would drown the costs in the solver's tolerances."""
CROWDED_PRICE = 10.0
"""Price of a request/s in a failure domain beyond what that may have, and of one replica's rate more, so that a hair
beyond is not for nothing, in the same multiples: a fleet that is spread may cost many replicas more."""
RANK_PRICE = 100.0
"""How much dearer it is per rank of priority: more than the steepest price of what one replica of the rank below it
carries."""
RANKS = 2
"""Ranks of priority that are told apart by price; above, the fair shares still hold, but for a replica."""
STEEPNESS = 10.0
"""By how much dearer the last request/s missed is than the first, so that none loses all for the others' last bit."""
PARTS = (0.9, 0.75, 0.5, 0.25)
"""Shares of what is needed that a target may be left with, where GPUs are short."""
PICK_GAP = 1e-4
"""Relative gap of the last choice, in which the prices of what is missed may be far above the costs."""
FEW = 400
"""Columns up to which one is chosen for every claim, and not only for those that the last mix does not settle."""
WHOLE = 1.0 - 1e-6
"""Share of a mix that is all of it, but for the solver's tolerance."""
SHORTLIST = 12
"""Fleets of a target among which the last program picks; the mix uses two at most."""


@dataclass(frozen=True, slots=True)
class _Mix:
    """The cheapest mix of the offers, $/h, and the price of a GPU of each accelerator in it."""

    usd: float
    prices: Mapping[str, float]
    shares: tuple[float, ...]
    """Of each column, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class _Column:
    """One offer of the claim at `place`."""

    place: int
    fleet: Fleet
    usd: float


@dataclass(slots=True)
class Exchange:
    """`needs` is what each claim must carry, requests/s; `limits` the GPUs that these claims may use together."""

    claims: Sequence[Claim]
    needs: Sequence[float]
    limits: Mapping[str, int]
    crowd: bool = False
    """Whether fleets are offered too whose failure domains have more than their share: for where too few GPUs are left
    to spread over."""
    bound_usd: float = -math.inf
    """No fleets that carry `needs` within `limits` cost less, $/h; `best_alone`'s own gap apart."""
    _offers: list[dict[Fleet, float]] = field(default_factory=list)
    """Fleets by claim, in the order in which they were offered, and what each costs, $/h."""

    def run(self, start: Sequence[Fleet]) -> list[Fleet]:
        """One fleet per claim within the limits."""
        self._offers = [{} for _ in self.claims]
        for place, claim in enumerate(self.claims):
            self._add(place, claim.low)
            self._add(place, start[place])
        self.bound_usd, _ = self._ask({})
        mix = self._mix(self._columns())
        for _ in range(ROUNDS if self.limits else 0):
            bound, new = self._ask(mix.prices)
            self.bound_usd = max(self.bound_usd, bound)
            if not new or mix.usd - self.bound_usd <= CLOSE * abs(mix.usd):
                break
            mix = self._mix(self._columns())
        return polished(self.claims, self._pick(mix.prices), self.limits)

    def _add(self, place: int, fleet: Fleet) -> bool:
        """Whether the offer is new."""
        if fleet in self._offers[place]:
            return False
        self._offers[place][fleet] = self._usd(place, fleet)
        return True

    def _ask(self, prices: Mapping[str, float]) -> tuple[float, bool]:
        """Every claim's cheapest fleet at these prices; a lower bound of any mix, and whether any fleet is new."""
        bound = -sum(prices.get(a, 0.0) * gpus for a, gpus in self.limits.items())
        new = False
        for place, (claim, need) in enumerate(zip(self.claims, self.needs, strict=True)):
            fleet = best_alone(claim, need, prices)
            if fleet is not None:
                bound += claim.cost(fleet, prices)
                new = self._add(place, fleet) or new
            crowded = cheapest(claim, need, prices) if self.crowd and claim.domains else None
            if crowded is not None and claim.spot_allowed(crowded):
                new = self._add(place, crowded) or new
        return bound, new

    def _mix(self, columns: Sequence[_Column]) -> _Mix:
        """The cheapest mix of these columns, of which every claim has one."""
        owners = [column.place for column in columns]
        overdrawn = range(len(columns), len(columns) + len(self.limits))
        used = hstack([self._used(columns), -eye_array(len(self.limits))], format="csr")
        one = csr_array(
            (np.ones(len(columns)), (owners, range(len(columns)))), shape=(len(self.claims), overdrawn.stop)
        )
        cost = [column.usd for column in columns] + [OVERDRAWN_USD for _ in overdrawn]
        limits = np.array(list(self.limits.values()), dtype=float)
        result = linprog(cost, used, limits, one, np.ones(len(self.claims)), method="highs")
        prices = dict(zip(self.limits, (max(0.0, -float(price)) for price in result.ineqlin.marginals), strict=True))
        return _Mix(float(result.fun), prices, tuple(float(share) for share in result.x[: len(columns)]))

    def _columns(self) -> list[_Column]:
        return [_Column(i, fleet, usd) for i, offers in enumerate(self._offers) for fleet, usd in offers.items()]

    def _used(self, columns: Sequence[_Column]) -> csr_array:
        """GPUs by accelerator (rows, in the order of `limits`) and column."""
        rows = {accelerator: row for row, accelerator in enumerate(self.limits)}
        entries = [
            (rows[accelerator], at, gpus)
            for at, column in enumerate(columns)
            for accelerator, gpus in self.claims[column.place].gpus(column.fleet).items()
            if accelerator in rows and gpus
        ]
        row, at, value = np.array(entries, dtype=int).reshape(-1, 3).T
        return csr_array((value.astype(float), (row, at)), shape=(len(rows), len(columns)))

    def _pick(self, prices: Mapping[str, float]) -> list[Fleet]:
        """One fleet for each claim: what the last mix has whole, and for the few that it mixes a choice of theirs."""
        shortlist = [column for place in range(len(self.claims)) for column in self._shortlist(place, prices)]
        mix = self._mix(shortlist)
        few = len(shortlist) <= FEW
        chosen = {} if few else {c.place: c.fleet for c, s in zip(shortlist, mix.shares, strict=True) if s > WHOLE}
        places = sorted(chosen)
        left = free_gpus([self.claims[i] for i in places], [chosen[i] for i in places], self.limits)
        mixed = sorted(set(range(len(self.claims))) - set(places))
        for place in mixed:
            self._offer_parts(place, prices)
        chosen.update(self._choose([column for column in self._columns() if column.place in set(mixed)], left))
        return [chosen[place] for place in range(len(self.claims))]

    def _shortlist(self, place: int, prices: Mapping[str, float]) -> list[_Column]:
        """A claim's offers, and those less a replica for where no whole one fits, that are best at these prices."""
        claim = self.claims[place]
        for fleet in list(self._offers[place]):
            for less in one_less(claim, fleet):
                if claim.spot_allowed(less):
                    self._add(place, less)
        offered = [_Column(place, fleet, usd) for fleet, usd in self._offers[place].items()]
        ranked = sorted(offered, key=lambda column: column.usd + self._worth(column, prices))[:SHORTLIST]
        return [*ranked, *(c for c in offered if c.fleet == claim.low and c not in ranked)]

    def _offer_parts(self, place: int, prices: Mapping[str, float]) -> None:
        """Fleets that carry part of what is needed, for where no whole one fits."""
        for part in PARTS:
            fleet = best_alone(self.claims[place], self.needs[place] * part, prices)
            if fleet is not None:
                self._add(place, fleet)

    def _choose(self, columns: Sequence[_Column], limits: Mapping[str, int]) -> dict[int, Fleet]:
        """One of each place's columns within `limits`, at the least cost in sum."""
        model = Model()
        for _ in columns:
            model.column(0.0, 1.0, whole=True)
        for place in sorted({column.place for column in columns}):
            model.row({at: 1.0 for at, column in enumerate(columns) if column.place == place}, 1.0, 1.0)
        gpus = [self.claims[column.place].gpus(column.fleet) for column in columns]
        for accelerator, limit in limits.items():
            model.row({at: float(used.get(accelerator, 0)) for at, used in enumerate(gpus)}, upper=float(limit))
        usd = {at: column.usd for at, column in enumerate(columns)}
        values = model.minimise(usd, gap=PICK_GAP) if columns else None
        if values is None:
            return {column.place: self.claims[column.place].low for column in columns}
        return {column.place: column.fleet for at, column in enumerate(columns) if values[at] > 0.5}

    def _worth(self, column: _Column, prices: Mapping[str, float]) -> float:
        used = self.claims[column.place].gpus(column.fleet)
        return sum(prices.get(accelerator, 0.0) * gpus for accelerator, gpus in used.items())

    def _usd(self, place: int, fleet: Fleet) -> float:
        """$/h of a fleet and of what it does not carry."""
        claim = self.claims[place]
        missing = claim.missing(fleet, self.needs[place])
        crowded = self.needs[place] if missing > 0 else claim.crowding(fleet)
        own = claim.cost(fleet) + ASLEEP_USD * claim.asleep(fleet)
        if claim.domains and crowded > 0:  # What misses any counts as wholly crowded: load comes first.
            own += CROWDED_PRICE * claim.dearest * (crowded + max(claim.rates))
        if missing <= 0:
            return own
        higher = len({c.priority for c in self.claims if c.priority < claim.priority})
        price = SHORT_PRICE * claim.dearest * RANK_PRICE ** min(higher, RANKS)
        return own + price * missing * (1.0 + STEEPNESS * missing / self.needs[place])
