"""Asks for tests of the allocation: variants with rates and prices of their own, and the search that misses nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from controlplane.domain.decision import Capacity, CapacityBound, Demand, DemandScenario, Plan
from controlplane.domain.target import CapacityType, Mode, Policy, Role, Routing, ScaleTargetRef, Slo, Variant
from controlplane.planning.allocation import Ask
from tests.builders import make_inputs, make_observation, make_target

START_SHARE = 170.0 / 3600.0
"""What starting a replica costs, in hours of it: the builders' cold start over an hour."""
MARGIN = 1.15


@dataclass(frozen=True)
class Kind:
    """One variant: what a replica carries and costs, how many there are and may be."""

    name: str
    rate: float
    usd: float
    role: Role = Role.BOTH
    gpu: str = ""
    low: int = 0
    high: int = 9
    now: int = 0
    gpus: int = 1
    spot: bool = False
    domain: str | None = None


def make_demand(rps: float) -> Demand:
    """A demand of so many requests/s."""
    return Demand(rps, rps, 0.0, 1000.0, 200.0, 250_000.0, 0.0, "reactive")


def make_ask(
    kinds: Sequence[Kind],
    rps: float,
    name: str = "chat",
    stocked_out_until_s: Mapping[str, float] | None = None,
    scenarios: Sequence[tuple[float, float]] = (),
    **policy: int | float | Routing | None,
) -> Ask:
    """One target of these kinds; `scenarios` are requests/s and probabilities, `policy` are fields of `Policy`."""
    variants = tuple(
        Variant(
            k.name,
            ScaleTargetRef("apps/v1", "Deployment", k.name),
            k.role,
            k.gpu or k.name.upper(),
            k.gpus,
            CapacityType.SPOT if k.spot else CapacityType.ON_DEMAND,
            k.usd,
            k.low,
            k.high,
            failure_domain=k.domain,
        )
        for k in kinds
    )
    target = make_target(variants, Policy(Mode.LIVE, Slo(2.0, 0.1), **policy), name=name)  # type: ignore[arg-type]
    observation = make_observation(target, rps, {k.name: k.now for k in kinds})
    capacities = tuple(Capacity(k.name, k.rate, CapacityBound.TPOT, 1.0) for k in kinds)
    demand = replace(make_demand(rps), scenarios=tuple(DemandScenario(*s) for s in scenarios))
    return Ask(make_inputs(target, observation), demand, capacities, stocked_out_until_s or {})


def usd(kinds: Sequence[Kind], fleet: Sequence[int], rps: float) -> float:
    """$/h of a fleet that is to carry `rps`, of its starts, and of beginning with what only fills up."""
    hours = [START_SHARE + filler_hours(kinds, k, rps) for k in kinds]
    return sum(n * k.usd + max(0, n - k.now) * k.usd * h for k, n, h in zip(kinds, fleet, hours, strict=True))


def filler_hours(kinds: Sequence[Kind], kind: Kind, rps: float) -> float:
    """Hours of its price that a replica of `kind` costs beside its start where a cheaper one runs: two in a fleet of
    very many, one in a fleet of six, none in one of three."""
    running = [k for k in kinds if k.role is kind.role and k.now > 0 and k.rate > 0]
    if kind.now > 0 or kind.rate <= 0 or all(kind.usd / kind.rate <= k.usd / k.rate for k in running):
        return 0.0
    return 2.0 * max(0.0, 1.0 - 3.0 * max(k.rate for k in running) / rps)


def carries(kinds: Sequence[Kind], fleet: Sequence[int], even: bool = False) -> float:
    """Requests/s of a fleet."""
    pools = {}
    for role in Role:
        own = [(k.rate, n) for k, n in zip(kinds, fleet, strict=True) if k.role is role and n and k.rate > 0]
        slowest = min((rate for rate, _ in own), default=0.0)
        pools[role] = sum(n * (slowest if even else rate) for rate, n in own)
    return pools[Role.BOTH] + min(pools[Role.PREFILL], pools[Role.DECODE])


def allowed(kinds: Sequence[Kind], fleet: Sequence[int], rps: float, even: bool = False) -> bool:
    """Whether a fleet carries the demand, and the margin more where it shrinks; somebody is always awake. (For targets
    that are wholly Both, or wholly split.)"""
    for side in ((Role.BOTH, Role.PREFILL), (Role.BOTH, Role.DECODE)):
        own = [(k, n) for k, n in zip(kinds, fleet, strict=True) if k.role in side]
        shrinks = any(n < min(k.now, k.high) for k, n in own)
        most = carries([_as_both(k) for k in kinds if k.role in side], [k.high for k in kinds if k.role in side], False)
        need = max(rps, min(rps * MARGIN, _reach(tuple(kinds), even), most)) if shrinks else rps
        one_side = carries([_as_both(k) for k, _ in own], [n for _, n in own], even)
        if one_side < need - 1e-9 or not any(n for _, n in own):
            return False
    return True


@cache
def _reach(kinds: tuple[Kind, ...], even: bool) -> float:
    return max(carries(kinds, fleet, even) for fleet in fleets(kinds))


def _as_both(kind: Kind) -> Kind:
    return Kind(kind.name, kind.rate, kind.usd)


def fleets(kinds: Sequence[Kind]) -> Iterator[tuple[int, ...]]:
    """Every fleet within the bounds."""
    return itertools.product(*(range(k.low, k.high + 1) for k in kinds))


def fits(targets: Sequence[Sequence[Kind]], chosen: Sequence[Sequence[int]], gpus: Mapping[str, int]) -> bool:
    """Whether fleets keep to an inventory."""
    used: dict[str, int] = {}
    for kinds, fleet in zip(targets, chosen, strict=True):
        for k, n in zip(kinds, fleet, strict=True):
            used[k.gpu or k.name.upper()] = used.get(k.gpu or k.name.upper(), 0) + n * k.gpus
    return all(n <= gpus.get(gpu, n) for gpu, n in used.items())


def fleet_of(kinds: Sequence[Kind], plan: Plan) -> tuple[int, ...]:
    """A plan's replicas in the order of the kinds."""
    return tuple(plan.replicas[k.name] for k in kinds)
