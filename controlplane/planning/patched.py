"""Who is patched is planned beside the others as they stand, and not as they are wished to be.

A group's targets share GPUs and are planned together. But what is planned for a target in Shadow nobody does: were its
wish for eight GPUs counted, a Live target beside it would go without GPUs that stay free; were what it is planned to
give back, the Live target would ask for GPUs that stay in use. So the plans of Live targets see the others with the
replicas that those have asked for by themselves (an HPA's, a hand's). The plans of the others are those of a group that
is Live as a whole: what would be done if they were handed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from controlplane.domain.decision import Plan
from controlplane.domain.observation import Inventory
from controlplane.domain.target import Mode
from controlplane.planning.allocation import Ask


def is_patched(ask: Ask) -> bool:
    """Whether what is decided for the target is done."""
    return ask.inputs.target.policy.mode is Mode.LIVE


def wishes_count(asks: Sequence[Ask], plans: Sequence[Plan], inventory: Inventory) -> bool:
    """Whether plans of patched targets could differ were the others to stay as they are: somebody is patched, and of
    GPUs that are counted the plan for somebody who is not has more or fewer than stand."""
    return any(map(is_patched, asks)) and any(
        variant.accelerator in inventory.gpus and plan.replicas[variant.name] != ask.current(variant)
        for ask, plan in zip(asks, plans, strict=True)
        if not is_patched(ask)
        for variant in ask.inputs.target.variants
    )


def standing(asks: Sequence[Ask]) -> list[Ask]:
    """The asks, of which those for targets that are not patched are for what there is."""
    return [ask if is_patched(ask) else replace(ask, demand=None) for ask in asks]
