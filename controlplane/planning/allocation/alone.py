"""The best fleet of one target on its own, all of its limits kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from controlplane.planning.allocation.claim import Claim, Fleet
from controlplane.planning.allocation.cover import cheapest
from controlplane.planning.allocation.program import Program


def best_alone(claim: Claim, wanted: float, prices: Mapping[str, float] | None = None) -> Fleet | None:
    """As `cheapest`, and within the limits on Spot: those few that would break them go to the general solver."""
    fleet = cheapest(claim, wanted, prices)
    if fleet is None or claim.spot_allowed(fleet):
        return fleet
    program = Program([replace(claim, wanted=wanted)], {}, prices=prices or {})
    program.allow_short([0.0])
    values = program.model.minimise(program.cost)
    return None if values is None else program.fleets(values)[0]
