"""Many targets that compete for few accelerators: a price for each GPU, until what all want fits (Dantzig & Wolfe,
*Operations Research* 1960).

Hundreds of targets hang together by a handful of rows, one per short accelerator. So each target alone offers its
cheapest fleet at the GPUs' present prices, and a small linear program over the fleets offered so far mixes them and
sets the prices anew. Its bound closes within a few rounds, and its answer is whole but for as many targets as there are
accelerators; a last mixed-integer program picks one fleet for each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, eye_array, hstack

from controlplane.planning.allocation.claim import Claim, Fleet
from controlplane.planning.allocation.cover import cheapest
from controlplane.planning.allocation.filling import filled
from controlplane.planning.allocation.model import Model
from controlplane.planning.allocation.program import ASLEEP_USD

ROUNDS = 20
"""Rounds of offers; usual ones end after five to ten."""
CLOSE = 2e-3
"""Relative distance to the bound at which the prices are good enough; the last program works to 5e-3."""
OVERDRAWN_USD = 1000.0
"""$/h of a GPU that is not there, while the fleets offered so far cannot do without."""
SHORT_PRICE = 30.0
"""Price of a request/s that is not carried, in multiples of the dearest way to carry it; ten times that per rank of
priority. Less would leave it uncarried for cost's sake, much more would drown the costs in the solver's gap."""
RANKS = 3
"""Ranks of priority that are told apart by price; below, the fair shares still hold."""
PICK_NODES = 200
"""Nodes of the last program, whose relaxation is nearly whole already."""
SHORTLIST = 12
"""Fleets of a target among which the last program picks; the mix uses two at most."""


@dataclass(frozen=True, slots=True)
class _Mix:
    """The cheapest mix of the offers, $/h, and the price of a GPU of each accelerator in it."""

    usd: float
    prices: Mapping[str, float]


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
    bound_usd: float = -math.inf
    """No fleets that carry `needs` within `limits` cost less, $/h; `cheapest`'s own gap apart."""
    _offers: list[dict[Fleet, float]] = field(default_factory=list)
    """Fleets by claim, in the order in which they were offered, and what each costs, $/h."""

    def run(self, start: Sequence[Fleet]) -> list[Fleet]:
        """One fleet per claim within the limits."""
        self._offers = [{} for _ in self.claims]
        for place, claim in enumerate(self.claims):
            self._add(place, claim.low)
            self._add(place, start[place])
        self.bound_usd, _ = self._ask({})
        mix = self._mix()
        for _ in range(ROUNDS if self.limits else 0):
            bound, new = self._ask(mix.prices)
            self.bound_usd = max(self.bound_usd, bound)
            if not new or mix.usd - self.bound_usd <= CLOSE * abs(mix.usd):
                break
            mix = self._mix()
        return filled(self.claims, self._pick(mix), self.limits)

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
            fleet = cheapest(claim, need, prices)
            if fleet is not None:
                bound += claim.cost(fleet, prices)
                new = self._add(place, fleet) or new
        return bound, new

    def _mix(self) -> _Mix:
        """The cheapest mix of the offers."""
        columns = [_Column(i, fleet, usd) for i, offers in enumerate(self._offers) for fleet, usd in offers.items()]
        rows, owners = self._used(columns), [column.place for column in columns]
        overdrawn = range(len(columns), len(columns) + len(self.limits))
        used = hstack([rows, -eye_array(len(self.limits))], format="csr")
        one = csr_array(
            (np.ones(len(columns)), (owners, range(len(columns)))), shape=(len(self.claims), overdrawn.stop)
        )
        cost = [column.usd for column in columns] + [OVERDRAWN_USD for _ in overdrawn]
        limits = np.array(list(self.limits.values()), dtype=float)
        result = linprog(cost, used, limits, one, np.ones(len(self.claims)), method="highs")
        prices = dict(zip(self.limits, (max(0.0, -float(price)) for price in result.ineqlin.marginals), strict=True))
        return _Mix(float(result.fun), prices)

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

    def _pick(self, mix: _Mix) -> list[Fleet]:
        """One offer, or an offer less a replica, for each claim: of those that are best at the last prices."""
        columns, model = [], Model()
        for place, claim in enumerate(self.claims):
            for fleet in list(self._offers[place]):
                for less in _one_less(claim, fleet):
                    self._add(place, less)
            offered = [_Column(place, fleet, usd) for fleet, usd in self._offers[place].items()]
            ranked = sorted(offered, key=lambda c: c.usd + self._worth(c, mix.prices))[:SHORTLIST]
            kept = [*ranked, *(c for c in offered if c.fleet == claim.low and c not in ranked)]
            model.row({model.column(0.0, 1.0, whole=True): 1.0 for _ in kept}, 1.0, 1.0)
            columns.extend(kept)
        used = self._used(columns)
        for row, limit in enumerate(self.limits.values()):
            cells = slice(used.indptr[row], used.indptr[row + 1])
            coefficients = dict(zip(used.indices[cells].tolist(), used.data[cells].tolist(), strict=True))
            model.row(coefficients, upper=float(limit))
        values = model.minimise({at: column.usd for at, column in enumerate(columns)}, nodes=PICK_NODES)
        if values is None:
            return [claim.low for claim in self.claims]
        chosen = {column.place: column.fleet for at, column in enumerate(columns) if values[at] > 0.5}
        return [chosen[place] for place in range(len(self.claims))]

    def _worth(self, column: _Column, prices: Mapping[str, float]) -> float:
        used = self.claims[column.place].gpus(column.fleet)
        return sum(prices.get(accelerator, 0.0) * gpus for accelerator, gpus in used.items())

    def _usd(self, place: int, fleet: Fleet) -> float:
        """$/h of a fleet and of what it does not carry."""
        claim = self.claims[place]
        missing = claim.missing(fleet, self.needs[place])
        asleep = ASLEEP_USD * claim.asleep(fleet)
        if missing <= 0:
            return claim.cost(fleet) + asleep
        higher = len({c.priority for c in self.claims if c.priority < claim.priority})
        return claim.cost(fleet) + asleep + SHORT_PRICE * claim.dearest * 10.0 ** min(higher, RANKS) * missing


def _one_less(claim: Claim, fleet: Fleet) -> list[Fleet]:
    """The fleets with one replica less of one variant: what is picked where no whole offer fits."""
    return [
        tuple(n - (at == place) for at, n in enumerate(fleet))
        for place in range(len(fleet))
        if fleet[place] > claim.low[place]
    ]
