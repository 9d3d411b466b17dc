"""The best fleet of one target on its own, all of its limits kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from controlplane.planning.allocation.claim import Claim, Fleet
from controlplane.planning.allocation.cover import cheapest
from controlplane.planning.allocation.model import GAP
from controlplane.planning.allocation.program import Program


def best_alone(
    claim: Claim, wanted: float, prices: Mapping[str, float] | None = None, exact: bool = False
) -> Fleet | None:
    """As `cheapest`, and within the limits on shares: of Spot always, and of failure domains as far as they can be
    kept while all is carried.

    What would break them goes to a search that looks at domains, and else to the general solver. That search may miss
    the best fleet by some percent where replicas are few and very unlike; where it is `exact`, the solver is asked
    whenever the fleet costs more than one that need not be spread.
    """
    spread = cheapest(claim, wanted, prices, spread=True) if claim.domains else None
    found = spread is not None and claim.spot_allowed(spread)
    if found and not exact:
        return spread
    fleet = cheapest(claim, wanted, prices)
    if fleet is None or claim.allowed(fleet):
        return fleet
    if spread is None or not found:
        return _solved(claim, wanted, prices or {}, claim.carried(fleet))
    if claim.cost(spread, prices) <= claim.cost(fleet, prices) * (1.0 + GAP):
        return spread
    solved = _solved(claim, wanted, prices or {})
    return min((f for f in (spread, solved) if f is not None), key=lambda f: claim.cost(f, prices))


def _solved(claim: Claim, wanted: float, prices: Mapping[str, float], planned: float | None = None) -> Fleet | None:
    """By the general solver. Where failure domains cannot keep to their shares, `planned` requests/s are carried, lest
    what is provided for misses be saved for their sake; without it, there is no such fleet."""
    program = Program([replace(claim, wanted=wanted)], {}, prices=prices)
    program.allow_short([0.0])
    values = program.model.minimise(program.cost)
    for need in () if planned is None else (max(wanted, planned), wanted):
        if values is None and claim.domains:
            program = Program([replace(claim, wanted=need)], {}, prices=prices)
            program.allow_short([0.0])
            program.allow_crowding()
            values = program.model.minimise(program.cost)
    return None if values is None else program.fleets(values)[0]
