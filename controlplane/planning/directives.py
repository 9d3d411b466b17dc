"""A target as people want it: with what they said through the API put beside what its resource says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from controlplane.domain.directives import DirectiveSet, PriceKind, PriceOverride
from controlplane.domain.target import CapacityType, PriceSource, Target, Variant


def directed(target: Target, directives: DirectiveSet, now_s: float) -> Target:
    """The target with the overrides, the freezes and the prices that hold at `now_s` (unix seconds).

    A tick is decided on this value and records it, so a replay needs nothing else. Freezes that are still to begin are
    left out: they would change a recorded decision's inputs without changing the decision.
    """
    said = directives.overrides.get(target.key, ())
    heard = tuple(o for o in said if o.expires_at_s is None or now_s < o.expires_at_s)
    concerning = (f.freeze for f in directives.freezes if f.concerns(target.namespace, target.name))
    freezes = tuple(freeze for freeze in concerning if freeze.holds(now_s))
    prices = [price for price in directives.prices if price.holds(now_s)]
    if not (heard or freezes or prices):
        return target
    policy = target.policy
    return replace(
        target,
        variants=tuple(priced(target, variant, prices) for variant in target.variants),
        policy=replace(policy, overrides=(*policy.overrides, *heard), freezes=(*policy.freezes, *freezes)),
    )


def priced(target: Target, variant: Variant, prices: Sequence[PriceOverride]) -> Variant:
    """The variant at the price that was said last of it, else of its accelerator, else its own.

    An accelerator's price is that of one GPU, and concerns variants alone whose price is the catalog's.
    """
    own = f"{target.key}/{variant.name}"
    of_variant = [p.usd_per_hour for p in prices if p.kind is PriceKind.VARIANT and p.name == own]
    if of_variant and of_variant[-1] is not None:
        return replace(variant, usd_per_replica_hour=of_variant[-1], priced_by=PriceSource.OVERRIDE)
    if variant.priced_by is PriceSource.RESOURCE:
        return variant
    is_spot = variant.capacity_type is CapacityType.SPOT
    of_gpu = [p for p in prices if p.kind is PriceKind.ACCELERATOR and p.name == variant.accelerator]
    said = [p.spot_usd_per_hour if is_spot else p.usd_per_hour for p in of_gpu]
    known = [usd for usd in said if usd is not None]
    if not known:
        return variant
    usd = known[-1] * variant.gpus_per_replica
    return replace(variant, usd_per_replica_hour=usd, priced_by=PriceSource.OVERRIDE)
