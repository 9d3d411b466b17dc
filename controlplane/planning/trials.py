"""A kind of replica that nobody has seen serve is tried with one before a fleet is made of it.

What it carries is a datasheet's word then, right to some 30 %. On that alone ten H100s that served were exchanged for
fifty L40S, which turned out a fifth slower, and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from controlplane.domain.decision import Calibration
from controlplane.domain.observation import Inventory
from controlplane.domain.target import Headroom, Policy, Routing, Variant
from controlplane.planning.allocation.ask import Ask
from controlplane.planning.outages import Cap

TRIED_S = 120.0
"""Seconds of evidence after which it is known: two windows of a minute."""
TRIAL = 1
"""Replicas of a trial: the step time of one is learned as fast as that of many."""


def with_trials(ask: Ask, learned: Mapping[str, Calibration], inventory: Inventory) -> Ask:
    """The ask with a cap on each variant that was not tried, where those that were can carry all without more of it.

    Where they cannot for sure (bounds, outages, GPUs that are counted, limits on shares, even routing, headroom that is
    wanted beside), nothing is capped: a guess carries more than nothing.
    """
    policy = ask.inputs.target.policy
    if ask.demand is None or _limits_shares(policy) or policy.routing is Routing.EVEN or policy.headroom != Headroom():
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
