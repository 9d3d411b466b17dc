"""GPUs that a plan gives from one target to another are to be had only once the first has let them go.

A group's targets are planned together, so one may be planned to grow on what another is planned to give back. Rules
then hold that down: for a stabilisation window, a lull, a replica that is on its way. Who asked for the GPUs all the
same would have replicas without a node, and after the pending deadline a stock-out of an accelerator that is all in
use. So who grows is planned again, beside the others as they will be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from controlplane.domain.decision import Decision, Plan
from controlplane.domain.observation import Inventory
from controlplane.planning.allocation import Ask, carried, fleet_usd, routing_weights
from controlplane.planning.patched import is_patched

ROUNDS = 3
"""Times that plans are made again at the most: rules may hold what the second plan gives back, too."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One target: what was asked for, planned, and decided."""

    ask: Ask
    plan: Plan
    decision: Decision

    def left(self, name: str) -> int:
        """Replicas of a variant that there will be: what nobody patches stays as it is."""
        if is_patched(self.ask):
            return self.decision.desired[name]
        return self.decision.current.get(name, 0)

    def kept(self) -> dict[str, int]:
        """Of the variants that keep more than was planned: how many."""
        return {name: self.left(name) for name, planned in self.plan.replicas.items() if self.left(name) > planned}

    def grows_on(self, accelerators: frozenset[str]) -> bool:
        """Whether more of any of these accelerators is asked for, of a target that is patched."""
        return any(
            v.accelerator in accelerators and self.left(v.name) > self.decision.current.get(v.name, 0)
            for v in self.ask.inputs.target.variants
        )

    def held(self) -> Ask:
        """The ask with what is kept as the least there must be."""
        bounds = dict(self.ask.bounds)
        for name, least in self.kept().items():
            bound = self.ask.bound(self.ask.inputs.target.variant(name))
            bounds[name] = replace(bound, low=max(bound.low, least), high=max(bound.high, least))
        return replace(self.ask, bounds=bounds)


def overdrawn(group: Sequence[Judged], inventory: Inventory) -> frozenset[str]:
    """Accelerators of which more GPUs are decided on than there are."""
    used = dict.fromkeys(inventory.gpus, 0)
    for one in group:
        _count(used, one, {v.name: one.left(v.name) for v in one.ask.inputs.target.variants})
    return frozenset(name for name, gpus in used.items() if gpus > inventory.gpus[name])


def replanned(place: int, group: Sequence[Judged], again: Plan, inventory: Inventory) -> Plan:
    """The plan that was made `again` beside what is held, for the target at `place`. What rules held of its own is
    wished away as before, as far as the rest carries as much without: they are asked once more, and it must not count
    as recommended; but what does the work of what cannot come yet is needed."""
    one = group[place]
    ask, replicas = one.ask, dict(again.replicas)
    variants, routing = ask.inputs.target.variants, ask.inputs.target.policy.routing
    needed = carried(variants, replicas, ask.rate, routing)
    if again.demand is not None:
        needed = min(needed, again.demand.requests_per_s)
    for name in sorted(one.kept()):
        while replicas[name] > one.plan.replicas[name]:
            fewer = {**replicas, name: replicas[name] - 1}
            if carried(variants, fewer, ask.rate, routing) < needed:
                break
            replicas = fewer
    weights = routing_weights(variants, replicas, ask.rate, routing)
    binding = again.binding if again.feasible else ", ".join([again.binding, *_kept_words(place, group, inventory)])
    return replace(
        again, replicas=replicas, usd_per_hour=fleet_usd(variants, replicas), weights=weights, binding=binding
    )


def _kept_words(place: int, group: Sequence[Judged], inventory: Inventory) -> list[str]:
    """What is kept of the accelerators that the target at `place` could use, in words."""
    kept = dict.fromkeys(inventory.gpus, 0)
    for one in group:
        _count(kept, one, {name: least - one.plan.replicas[name] for name, least in one.kept().items()})
    own = {v.accelerator for v in group[place].ask.inputs.target.variants}
    return [f"{gpus} {name} that are not given back yet" for name, gpus in sorted(kept.items()) if gpus and name in own]


def _count(gpus: dict[str, int], one: Judged, replicas: Mapping[str, int]) -> None:
    for variant in one.ask.inputs.target.variants:
        if variant.accelerator in gpus:
            gpus[variant.accelerator] += replicas.get(variant.name, 0) * variant.gpus_per_replica
