"""Replicas that take clearly longer than their variant's starts do: others are asked for beside them, not more of them.

They are no stock-out yet: a node that has to be made takes minutes, so what pends is left alone until the pending
deadline. But until then nobody should count on it. A Spot pool that was reclaimed and was empty for 25 minutes left a
fleet with a quarter of what came for 15 of them, while the same GPU was to be had on demand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from controlplane.domain.decision import Plan, TargetInputs
from controlplane.domain.observation import Inventory, VariantObservation
from controlplane.domain.target import CapacityType, Mode, Role, Variant
from controlplane.planning.allocation import Ask
from controlplane.planning.cold_starts import default_cold_start
from controlplane.planning.outages import Cap, is_overdue, served
from controlplane.planning.replacements import topped_up
from controlplane.planning.rollouts import is_outdated

LATE_FACTOR = 2.0
"""Times the 90th percentile of a variant's starts. Where they differ by a fifth, and the fastest is all that was
measured, the slowest takes 1.4 times that; one for which a node has to be made takes twice what others did, and it is
no shortage."""
GONE_FACTOR = 1.25
"""The same where every replica of a variant that served is gone at once: a pool was reclaimed, and what took them away
is likely to keep the next from coming. More than a start, since a template that is new makes all anew too. And of Spot
capacity that has no node: it takes up to a start from there."""
LEAST_NODELESS_S = 60.0
"""For so long a Spot replica that was made in place of one that was reclaimed may be without a node, before others are
asked for: what took the one away is likely to keep the next from coming, and who waits for a whole start to be sure is
short for another one. A node is made in one to three minutes, so a market that is not empty is hedged at times, too;
what comes too much goes when it came. In an independent simulator an hour in which half a Spot pool was reclaimed and
the market was empty for 30 minutes attains 85 % in place of 73 at a cold start of 180 s, and 74 in place of 46 at
420 s, at no more cost: less is lost, and no backlog bought."""
LEAST_LATE_S = 60.0
"""Replicas that start within seconds vary by as much as they take."""


@dataclass(frozen=True, slots=True)
class Late:
    """Of a variant: how many replicas are not Ready, for how long the oldest is not, and what its starts take."""

    replicas: int
    waits_s: float
    start_s: float
    with_node: int
    """Of the replicas, those that have a node, or may: they hold their GPUs."""

    def words(self, name: str) -> str:
        """In a sentence."""
        late = f"{self.replicas} of {name} are late"
        return f"{late}: not Ready after {self.waits_s:.0f} s, where starts take up to {self.start_s:.0f} s"


def late_starts(inputs: TargetInputs) -> dict[str, Late]:
    """By variant, those of which the oldest pending replica is late, and none has come since that was asked for.

    One that is stuck among others that come is left to the pending deadline: that its variant can be had is plain.
    """
    found = {}
    for variant in inputs.target.variants:
        seen = inputs.observation.variant(variant.name)
        if seen is not None and _is_late(inputs, variant, seen):
            with_node = seen.pending - min(seen.pending, seen.unschedulable or 0)
            start_s, waits_s = _start_s(inputs, variant), seen.oldest_pending_s or 0.0
            found[variant.name] = Late(seen.pending, waits_s, start_s, with_node)
    return found


def replaceable(ask: Ask, late: Mapping[str, Late]) -> dict[str, Late]:
    """Those of which another variant does the same work and may be had; the others are still hoped for."""
    if ask.demand is None:
        return {}
    return {v.name: late[v.name] for v in ask.inputs.target.variants if v.name in late and _has_peers(ask, v, late)}


def without_late(ask: Ask, late: Mapping[str, Late]) -> Ask:
    """The ask as if of what is late only those came that are Ready."""
    caps, bounds = dict(ask.caps), dict(ask.bounds)
    for name, one in late.items():
        bound = ask.bound(ask.inputs.target.variant(name))
        caps[name] = (*caps.get(name, ()), Cap(_ready(ask, name), one.words(name)))
        bounds[name] = replace(bound, low=min(bound.low, _ready(ask, name)))
    return replace(ask, caps=caps, bounds=bounds) if late else ask


def left_for_others(inventory: Inventory, asks: Sequence[Ask], lates: Sequence[Mapping[str, Late]]) -> Inventory:
    """The inventory without the GPUs of late replicas that have a node, since they load and are not driven out, and
    without those of late replicas that must run."""
    gpus = dict(inventory.gpus)
    for ask, late in zip(asks, lates, strict=True):
        for variant in ask.inputs.target.variants:
            if variant.name in late and variant.accelerator in gpus:
                must_run = ask.bound(variant).low - _ready(ask, variant.name)
                held = max(late[variant.name].with_node, must_run) * variant.gpus_per_replica
                gpus[variant.accelerator] = max(0, gpus[variant.accelerator] - held)
    return replace(inventory, gpus=gpus)


def with_minima(ask: Ask, plan: Plan, late: Mapping[str, Late], free: dict[str, int]) -> Plan:
    """The plan with as many of what is late as must run: before what may."""
    return topped_up(ask, plan, {name: ask.bound(ask.inputs.target.variant(name)).low for name in late}, free)


def with_late(ask: Ask, credited: Plan, hedged: Plan, late: Mapping[str, Late], free: dict[str, int]) -> Plan:
    """The `hedged` plan, and beside it the late replicas that are wanted already; and where it does not carry all,
    what was planned when they were `credited`, since more of what may come is better than nothing."""
    wish = dict(hedged.replicas)
    for variant in ask.inputs.target.variants:
        name = variant.name
        if name in late:
            wish[name] = max(wish[name], ask.current(variant))
        if not hedged.feasible:
            wish[name] = max(wish[name], credited.replicas[name])
    return topped_up(ask, hedged, wish, free)


def _is_late(inputs: TargetInputs, variant: Variant, seen: VariantObservation) -> bool:
    waits_s = seen.oldest_pending_s or 0.0
    if not seen.pending or seen.ready >= seen.desired or is_overdue(inputs, seen):
        return False
    if seen.restarting and seen.ready:
        return False  # what restarts may be the oldest, and is no new one
    asked = _asked_since(inputs, variant.name, inputs.observation.at_s - waits_s - inputs.target.policy.interval_s)
    if asked > seen.pending:
        return False
    return waits_s > _patience_s(inputs, variant, seen, asked)


def _patience_s(inputs: TargetInputs, variant: Variant, seen: VariantObservation, asked: int) -> float:
    """For how long the oldest pending replica is waited for before the variant is late, seconds; `asked` are those
    that were asked for since."""
    first_s, waits_s = inputs.memory.first_seen_at_s, seen.oldest_pending_s or 0.0
    watched = first_s is not None and first_s < inputs.observation.at_s - waits_s
    replaced = watched and asked < seen.pending
    # One that loads is the oldest, and one that was made a moment ago has no node: all of them must have none.
    nodeless = variant.capacity_type is CapacityType.SPOT and (seen.unschedulable or 0) >= seen.pending
    ours = inputs.target.policy.mode is Mode.LIVE and not inputs.surroundings.manual
    if nodeless and replaced and ours and not is_outdated(inputs, variant.name):
        return LEAST_NODELESS_S
    sooner = nodeless or (replaced and not seen.ready)
    return max(LEAST_LATE_S, (GONE_FACTOR if sooner else LATE_FACTOR) * _start_s(inputs, variant))


def _asked_since(inputs: TargetInputs, name: str, since_s: float) -> int:
    """Replicas by which more are wanted than at that time."""
    return sum(e.delta for e in inputs.memory.scale_events if e.variant == name and e.at_s >= since_s)


def _start_s(inputs: TargetInputs, variant: Variant) -> float:
    """What a start takes at most, seconds: the 90th percentile, as measured or as it is taken to be."""
    return (inputs.cold_starts.get(variant.name) or default_cold_start(inputs.target, variant)).p90_s


def _ready(ask: Ask, name: str) -> int:
    seen = ask.inputs.observation.variant(name)
    return 0 if seen is None else served(seen)


def _has_peers(ask: Ask, variant: Variant, late: Mapping[str, Late]) -> bool:
    """Whether another variant does the same work and may be had."""
    peers = (one for one in ask.inputs.target.variants if one.name != variant.name and one.name not in late)
    return any(_stands_in(one, variant) and ask.rate(one) > 0 and ask.most(one) > 0 for one in peers)


def _stands_in(one: Variant, other: Variant) -> bool:
    return one.role is other.role or Role.BOTH in (one.role, other.role)
