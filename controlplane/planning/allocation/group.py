"""Least-cost replicas per variant for all targets of a group.

Each target is solved alone first: where what all want fits the inventory, that is the optimum. Where it does not, those
that could use a short accelerator are solved together, with the rows of the short accelerators alone, which is the
optimum too if it overdraws no other; else all that are limited are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from controlplane.domain.decision import Plan
from controlplane.domain.observation import Inventory
from controlplane.planning.allocation.alone import best_alone
from controlplane.planning.allocation.ask import Ask, carried, fleet_usd, routing_weights
from controlplane.planning.allocation.claim import Claim, Fleet, claim_of
from controlplane.planning.allocation.even import evened
from controlplane.planning.allocation.exchange import Exchange
from controlplane.planning.allocation.filling import free_gpus, polished
from controlplane.planning.allocation.program import Program
from controlplane.planning.allocation.shares import share_out
from controlplane.planning.allocation.words import alternatives, binding, crowded
from controlplane.planning.falls import fall_probability

DOWN_MARGIN = 0.15
"""A smaller fleet must carry more than the demand by this share at the most: a replica given up for a ripple would be
started again, and pay its cold start, within minutes."""
RIPPLE_DEVIATIONS = 2.0
"""And by so many standard deviations of a minute's count of requests: at 5 requests/s that is 12 %, at 200 2 %."""
DRIFT = 0.12
DRIFT_HORIZON_S = 200.0
"""And by so much for each `DRIFT_HORIZON_S` that one must see further than that: what is given up in a lull is back a
cold start after the load is. At 420 s it keeps the Azure hour's 99 %, which without it a ramp out of a lull takes, at
the same cost. A load that is calmer than usual has calmer lulls."""
MINUTE_S = 60.0
EXACT_COLUMNS = 64
"""Variants up to which competing targets are one mixed-integer program; above, accelerators are given prices, which is
as good where targets are many and hundreds of times faster."""

EXACT_TARGETS = 16
"""Targets up to which those that are spread over failure domains are solved exactly, at some 10 ms each; above, the
percents that a few may cost too much are lost among the others."""


def allocate(asks: Sequence[Ask], inventory: Inventory) -> tuple[Plan, ...]:
    """One plan per ask, in order; the same asks give the same plans, always."""
    claims = [claim_of(ask, down_margin(ask)) for ask in asks]
    limits = _limits(claims, inventory)
    fleets = [evened(claim, fleet) for claim, fleet in zip(claims, _fleets(claims, limits), strict=True)]
    free = free_gpus(claims, fleets, inventory.gpus)
    return tuple(
        _plan(ask, claim, fleet, free, inventory) for ask, claim, fleet in zip(asks, claims, fleets, strict=True)
    )


def down_margin(ask: Ask) -> float:
    """The share by which a smaller fleet must carry more than the demand: the noise of a minute's Poisson count, and
    what a long cold start leaves to chance, as far as the load does not fall for certain; and where it comes back, all
    of that."""
    load, demand = ask.inputs.observation.load, ask.demand
    if load is None or load.newest_rps is None or load.requests_per_s <= 0 or demand is None:
        return _calm_margin(ask)
    return max(_calm_margin(ask), load.newest_rps / min(load.requests_per_s, demand.requests_per_s or 1e-9) - 1.0)


def _calm_margin(ask: Ask) -> float:
    if ask.demand is None or ask.demand.requests_per_s <= 0:
        return DOWN_MARGIN
    forecast = ask.inputs.forecast
    horizon_s, calm = (forecast.horizon_s, min(1.0, forecast.volatility)) if forecast else (DRIFT_HORIZON_S, 1.0)
    ripple = RIPPLE_DEVIATIONS / math.sqrt(ask.demand.requests_per_s * MINUTE_S)
    unknown = min(DOWN_MARGIN, ripple + calm * DRIFT * max(0.0, horizon_s / DRIFT_HORIZON_S - 1.0))
    return unknown * (1.0 - fall_probability(ask.inputs))


def _limits(claims: Sequence[Claim], inventory: Inventory) -> dict[str, int]:
    """GPUs by accelerator; what must run or is left alone runs, even where the inventory has shrunk below it."""
    least = free_gpus(claims, [claim.low for claim in claims], dict.fromkeys(inventory.gpus, 0))
    # Sorted, since a database may return the inventory in another order and rows in another order may break ties.
    return {accelerator: max(inventory.gpus[accelerator], -least[accelerator]) for accelerator in sorted(least)}


def _fleets(claims: Sequence[Claim], limits: Mapping[str, int]) -> list[Fleet]:
    """Those that could use any limited accelerator together, where what each wants alone does not fit."""
    exact = len(claims) <= EXACT_TARGETS
    alone = [_alone(claim, exact) for claim in claims]
    if not _overdrawn(claims, alone, limits):
        return alone
    rivals = [i for i, claim in enumerate(claims) if _competes(claim, limits)]
    others = sorted(set(range(len(claims))) - set(rivals))
    left = free_gpus([claims[i] for i in others], [alone[i] for i in others], limits)
    together = _together([claims[i] for i in rivals], [alone[i] for i in rivals], left)
    found = dict(zip(rivals, together, strict=True))
    return [found.get(i, fleet) for i, fleet in enumerate(alone)]


def _overdrawn(claims: Sequence[Claim], fleets: Sequence[Fleet], limits: Mapping[str, int]) -> set[str]:
    return {accelerator for accelerator, gpus in free_gpus(claims, fleets, limits).items() if gpus < 0}


def _competes(claim: Claim, limits: Mapping[str, int]) -> bool:
    bounds = zip(claim.variants, claim.low, claim.high, strict=True)
    return any(v.accelerator in limits and high > low for v, low, high in bounds)


def _alone(claim: Claim, exact: bool) -> Fleet:
    """The best fleet of a target that has all accelerators to itself."""
    fleet = best_alone(claim, claim.reach, exact=exact)
    return _exact([claim], {})[0] if fleet is None else fleet


def _together(claims: Sequence[Claim], alone: Sequence[Fleet], limits: Mapping[str, int]) -> list[Fleet]:
    """The best fleets of targets that compete for `limits` GPUs by accelerator."""
    if sum(len(claim.variants) for claim in claims) <= EXACT_COLUMNS:
        return _exact(claims, limits)
    program = Program(claims, limits)
    program.allow_short([0.0 for _ in claims])
    values = program.model.minimise(program.cost, relaxed=True)
    crowd = values is None
    if values is None and program.allow_crowding():
        values = program.model.minimise(program.cost, relaxed=True)
    if values is None and share_out(program, relaxed=True):
        values = program.model.minimise(program.cost, relaxed=True)
    shorts = [0.0 for _ in claims] if values is None else program.shorts(values)
    needs = [max(0.0, claim.reach - short) for claim, short in zip(claims, shorts, strict=True)]
    return Exchange(claims, needs, limits, crowd).run(alone)


def _exact(claims: Sequence[Claim], limits: Mapping[str, int]) -> list[Fleet]:
    """Everything carried at the least cost; where no fleets do, failure domains may have more than their share; where
    none do even so, fair shares at the least cost.

    Programs one after another, since a price alone would leave a sliver uncarried where that is cheaper.
    """
    program = Program(claims, limits)
    program.allow_short([0.0 for _ in claims])
    values = program.model.minimise(program.cost)
    if values is None and program.allow_crowding():
        values = program.model.minimise(program.cost)
    if values is None and share_out(program):
        values = program.model.minimise(program.cost)
    if values is None:  # The node limit came first: a feasible answer is better than none.
        return polished(claims, [claim.low for claim in claims], limits)
    return program.fleets(values)


def _plan(ask: Ask, claim: Claim, fleet: Fleet, free: Mapping[str, int], inventory: Inventory) -> Plan:
    target = ask.inputs.target
    replicas = claim.named(fleet)
    cost = fleet_usd(target.variants, replicas)
    if ask.demand is None:
        return Plan(target.key, None, ask.capacities, replicas, cost, feasible=True)
    routing = target.policy.routing
    short = claim.wanted - carried(target.variants, replicas, ask.rate, routing)
    spread = crowded(claim, fleet)
    feasible = short <= 1e-6 * max(1.0, claim.wanted)
    return Plan(
        target=target.key,
        demand=ask.demand,
        capacities=ask.capacities,
        replicas=replicas,
        usd_per_hour=cost,
        feasible=feasible,
        binding=", ".join(filter(None, ("" if feasible else binding(ask, replicas, free, inventory), spread))),
        alternatives=alternatives(ask, claim, replicas, free) if feasible else (),
        weights=routing_weights(target.variants, replicas, ask.rate, routing),
        reclaim_loss_rps=claim.reclaim_loss(fleet),
        domain_loss_rps=claim.domain_loss(fleet),
    )
