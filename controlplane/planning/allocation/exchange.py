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
from scipy.sparse import csr_array

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


@dataclass(slots=True)
class Exchange:
    """`needs` is what each claim must carry, requests/s; `limits` the GPUs that these claims may use together."""

    claims: Sequence[Claim]
    needs: Sequence[float]
    limits: Mapping[str, int]
    offers: list[dict[Fleet, None]] = field(default_factory=list)
    """Fleets by claim, in the order in which they were offered."""
    bound_usd: float = -math.inf
    """No fleets that carry `needs` within `limits` cost less, $/h; `cheapest`'s own gap apart."""

    def run(self, start: Sequence[Fleet]) -> list[Fleet]:
        """One fleet per claim within the limits."""
        self.offers = [dict.fromkeys([fleet]) for fleet in start]
        self.bound_usd, _ = self._offer({})
        for _ in range(ROUNDS if self.limits else 0):
            value, prices = self._mix()
            bound, new = self._offer(prices)
            self.bound_usd = max(self.bound_usd, bound)
            if not new or value - self.bound_usd <= CLOSE * abs(value):
                break
        return filled(self.claims, self._pick(), self.limits)

    def _offer(self, prices: Mapping[str, float]) -> tuple[float, bool]:
        """Every claim's cheapest fleet at these prices; a lower bound of any mix, and whether any fleet is new."""
        bound = -sum(prices.get(a, 0.0) * gpus for a, gpus in self.limits.items())
        new = False
        for claim, need, offers in zip(self.claims, self.needs, self.offers, strict=True):
            fleet = cheapest(claim, need, prices)
            if fleet is not None:
                bound += claim.cost(fleet, prices)
                new = new or fleet not in offers
                offers[fleet] = None
        return bound, new

    def _columns(self) -> list[tuple[int, Fleet]]:
        return [(place, fleet) for place, offers in enumerate(self.offers) for fleet in offers]

    def _used(self, columns: Sequence[tuple[int, Fleet]]) -> csr_array:
        """GPUs by accelerator (rows, in the order of `limits`) and column."""
        rows = {accelerator: row for row, accelerator in enumerate(self.limits)}
        entries = [
            (rows[accelerator], at, gpus)
            for at, (place, fleet) in enumerate(columns)
            for accelerator, gpus in self.claims[place].gpus(fleet).items()
            if accelerator in rows
        ]
        row, column, value = np.array(entries, dtype=int).reshape(-1, 3).T
        return csr_array((value.astype(float), (row, column)), shape=(len(rows), len(columns)))

    def _mix(self) -> tuple[float, dict[str, float]]:
        """The cheapest mix of the offers, $/h, and the price of a GPU of each accelerator in it."""
        columns = self._columns()
        extra = np.eye(len(self.limits))
        used = csr_array(np.hstack([self._used(columns).toarray(), -extra]))
        one = csr_array(
            (np.ones(len(columns)), ([place for place, _ in columns], range(len(columns)))),
            shape=(len(self.claims), len(columns) + len(self.limits)),
        )
        cost = [self._usd(place, fleet) for place, fleet in columns] + [OVERDRAWN_USD] * len(self.limits)
        limits = np.array(list(self.limits.values()), dtype=float)
        result = linprog(cost, used, limits, one, np.ones(len(self.claims)), method="highs")
        prices = dict(zip(self.limits, (max(0.0, -float(price)) for price in result.ineqlin.marginals), strict=True))
        return float(result.fun), prices

    def _pick(self) -> list[Fleet]:
        """One offer, or an offer less a replica, for each claim."""
        for place, claim in enumerate(self.claims):
            for fleet in [*self.offers[place], claim.low]:
                self.offers[place].update(dict.fromkeys([fleet, *_one_less(claim, fleet)]))
        columns, model = self._columns(), Model()
        for _ in columns:
            model.column(0.0, 1.0, whole=True)
        for place in range(len(self.claims)):
            model.row({at: 1.0 for at, (owner, _) in enumerate(columns) if owner == place}, 1.0, 1.0)
        used = self._used(columns)
        for row, limit in enumerate(self.limits.values()):
            cells = slice(used.indptr[row], used.indptr[row + 1])
            coefficients = dict(zip(used.indices[cells].tolist(), used.data[cells].tolist(), strict=True))
            model.row(coefficients, upper=float(limit))
        usd = {at: self._usd(place, fleet) for at, (place, fleet) in enumerate(columns)}
        values = model.minimise(usd, nodes=PICK_NODES)
        if values is None:
            return [claim.low for claim in self.claims]
        chosen = {place: fleet for at, (place, fleet) in enumerate(columns) if values[at] > 0.5}
        return [chosen[place] for place in range(len(self.claims))]

    def _usd(self, place: int, fleet: Fleet) -> float:
        """$/h of a fleet and of what it does not carry."""
        claim = self.claims[place]
        higher = len({c.priority for c in self.claims if c.priority < claim.priority})
        missing = claim.missing(fleet, self.needs[place])
        price = SHORT_PRICE * claim.dearest * 10.0 ** min(higher, RANKS)
        return claim.cost(fleet) + price * missing + ASLEEP_USD * claim.asleep(fleet)


def _one_less(claim: Claim, fleet: Fleet) -> list[Fleet]:
    """The fleets with one replica less of one variant: what is picked where no whole offer fits."""
    return [
        tuple(n - (at == place) for at, n in enumerate(fleet))
        for place in range(len(fleet))
        if fleet[place] > claim.low[place]
    ]
