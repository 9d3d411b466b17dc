"""A kind of replica that nobody has seen serve is tried with one before a fleet is made of it, and where it may do the
work for less than what is known.

What it carries is a datasheet's word then, right to some 30 %. On that alone ten H100s that served were exchanged for
fifty L40S, which turned out a fifth slower, and back. And a fleet that knows only what it runs never learns that the
machine beside it in the policy is a fifth cheaper by the request: one replica for some minutes tells (optimism in the
face of uncertainty: Lai & Robbins, *Advances in Applied Mathematics* 6, 1985).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from controlplane.domain.decision import Calibration, Plan
from controlplane.domain.observation import Inventory
from controlplane.domain.target import Headroom, Policy, Preference, Routing, SelectPolicy, Variant
from controlplane.planning.allocation.ask import Ask, fleet_usd
from controlplane.planning.allocation.claim import weighed_usd
from controlplane.planning.capacity import EDGE_HORIZON_S, capacity
from controlplane.planning.outages import Cap
from controlplane.planning.patched import is_patched

TRIED_S = 120.0
"""Seconds of evidence after which it is known: two windows of a minute."""
TRIAL = 1
"""Replicas of a trial: the step time of one is learned as fast as that of many."""
HOPED = 0.8
"""Of the prior's times: what a machine may take where it is faster than its datasheet says, two thirds of the prior's
30 % (`calibration.PRIOR_DEVIATION`). In an independent simulator an A100 that is a quarter faster than told beside an
H100 that is 30 % slower is found so, for 13 % less in the hour. With 0.7 a machine that is 3 % cheaper was begun with,
too, and the hour cost 8 % more: to exchange a fleet costs a cold start of it."""
WORTH = 0.95
"""Of the price of a request that is known: what it must cost at the most, at `HOPED`, for a trial."""
STILL_WORTH = 1.05
"""The same of a trial that goes on: prices move with every minute's mix, and each that is given up was started."""
SETTLED_S = 300.0
"""Seconds of evidence that there must be of those that serve: what nobody knows is not compared."""
MOST_OF_FLEET = 0.15
"""Of the fleet's dollars that a trial may cost: a fleet of two does not begin a third for the sake of knowing."""


def with_trials(
    asks: Sequence[Ask], learned: Sequence[Mapping[str, Calibration]], inventory: Inventory, hope: bool = True
) -> list[Ask]:
    """The asks, each with a cap on what was not tried where those that were can carry all without more of it, and with
    one replica of what may be cheaper where there is `hope`.

    Where they cannot for sure (bounds, outages, GPUs that are counted, limits on shares, even routing, headroom that is
    wanted beside), nothing is capped: a guess carries more than nothing.
    """
    free = dict(inventory.gpus)
    for ask in asks:
        for variant in ask.inputs.target.variants:
            if variant.accelerator in free:
                free[variant.accelerator] -= ask.current(variant) * variant.gpus_per_replica
    pairs = zip(asks, learned, strict=True)
    return [_capped(_promised(ask, known, free) if hope else ask, known, inventory) for ask, known in pairs]


def trial_words(ask: Ask, plan: Plan) -> str:
    """What of the plan is a try, in words; empty where nothing is."""
    tried = [name for name, bound in ask.bounds.items() if bound.low_by == _HOPE and plan.replicas.get(name) == TRIAL]
    return f"one {tried[0]} is a try: {_HOPE}" if tried else ""


_HOPE = "nobody has seen it serve here, and it may do the work for less"


def _promised(ask: Ask, learned: Mapping[str, Calibration], free: dict[str, int]) -> Ask:
    """The ask with one replica, at the least, of the variant that may be cheapest."""
    if not _is_free(ask) or not is_patched(ask):
        return ask
    prices = {v.name: _hoped_price(ask, v, learned, free) for v in ask.inputs.target.variants}
    worth = [v for v in ask.inputs.target.variants if prices[v.name] <= (STILL_WORTH if ask.current(v) else WORTH)]
    if not worth:
        return ask
    # What was begun is finished first.
    variant = min(worth, key=lambda v: (not ask.current(v), prices[v.name], v.name))
    name = variant.name
    if variant.accelerator in free and not ask.current(variant):
        free[variant.accelerator] -= variant.gpus_per_replica
    return replace(ask, bounds={**ask.bounds, name: replace(ask.bound(variant), low=TRIAL, low_by=_HOPE)})


def _hoped_price(ask: Ask, variant: Variant, learned: Mapping[str, Calibration], free: Mapping[str, int]) -> float:
    """What a request costs on it where it is as fast as may be hoped, over what it costs on the best that is known;
    infinite where it cannot be tried, or is known."""
    known = [one for one in _better_known(ask, variant, learned) if learned[one.name].weight >= SETTLED_S]
    current, bound = ask.current(variant), ask.bound(variant)
    barred = bound.low > 0 or current > TRIAL or ask.most(variant) < TRIAL or variant.preference is Preference.AVOID
    barred = barred or (not current and ask.inputs.target.policy.scale_up.select_policy is SelectPolicy.DISABLED)
    has_gpus = current or free.get(variant.accelerator, variant.gpus_per_replica) >= variant.gpus_per_replica
    if not known or barred or not has_gpus or ask.demand is None or ask.rate(variant) <= 0:
        return float("inf")
    target = ask.inputs.target
    others = {v.name: ask.current(v) for v in target.variants if v.name != variant.name}
    if not current and variant.usd_per_replica_hour > MOST_OF_FLEET * fleet_usd(target.variants, others):
        return float("inf")
    horizon_s = EDGE_HORIZON_S if ask.inputs.forecast is None else ask.inputs.forecast.horizon_s
    hope = Calibration(1.0, 0.0, factors=(HOPED,) * 4, deviation=0.0)
    hoped_rps = capacity(target, variant, ask.demand, hope, horizon_s).requests_per_s
    best = min(weighed_usd(one) / ask.rate(one) for one in known)
    return weighed_usd(variant) / hoped_rps / best if hoped_rps > 0 and best > 0 else float("inf")


def _capped(ask: Ask, learned: Mapping[str, Calibration], inventory: Inventory) -> Ask:
    """The ask with a cap on each variant that was not tried."""
    if ask.demand is None or not _is_free(ask):
        return ask
    found = {}
    for variant in ask.inputs.target.variants:
        known = _better_known(ask, variant, learned)
        free = not any(one.accelerator in inventory.gpus for one in known)
        if known and free and sum(ask.rate(one) * ask.most(one) for one in known) >= ask.demand.requests_per_s:
            most = max(ask.current(variant), TRIAL)
            words = f"{variant.name} has hardly served yet; {most} is a try, {_names(known)} carry the rest"
            found[variant.name] = (*ask.caps.get(variant.name, ()), Cap(most, words))
    return replace(ask, caps={**ask.caps, **found}) if found else ask


def _is_free(ask: Ask) -> bool:
    """Whether its variants stand in for one another without limits on their shares."""
    policy = ask.inputs.target.policy
    return not _limits_shares(policy) and policy.routing is not Routing.EVEN and policy.headroom == Headroom()


def _better_known(ask: Ask, variant: Variant, learned: Mapping[str, Calibration]) -> list[Variant]:
    """Ready variants of its role of which more is known; none where it was tried, runs with more than a trial has, or
    is the same machine as one that was tried."""
    seen = ask.inputs.observation.variant(variant.name)
    if seen is not None and seen.ready > TRIAL:
        return []
    peers = [one for one in ask.inputs.target.variants if one.role is variant.role]
    same = [one for one in peers if _machine(one) == _machine(variant)]
    own_s = max(learned[one.name].weight for one in same)
    if own_s >= TRIED_S:
        return []
    return [one for one in peers if one not in same and _is_ready(ask, one) and learned[one.name].weight > own_s]


def _machine(variant: Variant) -> tuple[str, int]:
    return variant.accelerator, variant.gpus_per_replica


def _is_ready(ask: Ask, variant: Variant) -> bool:
    seen = ask.inputs.observation.variant(variant.name)
    return seen is not None and seen.ready > 0 and ask.rate(variant) > 0


def _limits_shares(policy: Policy) -> bool:
    return min(policy.max_spot_share, policy.max_pool_share) < 1.0 or policy.max_domain_share is not None


def _names(variants: list[Variant]) -> str:
    return ", ".join(one.name for one in variants)
