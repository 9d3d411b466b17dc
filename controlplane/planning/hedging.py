"""Plans for all targets of a group that count on what is Ready or comes in time, and ask for the rest elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from controlplane.domain.decision import Plan
from controlplane.domain.observation import Inventory
from controlplane.planning.allocation import Ask, allocate
from controlplane.planning.headroom import free_gpus, with_headroom
from controlplane.planning.late_starts import left_for_others, replaceable, with_late, with_minima, without_late
from controlplane.planning.situation import Situation
from controlplane.planning.trials import trial_words, with_trials


def planned(asks: Sequence[Ask], situations: Sequence[Situation], inventory: Inventory) -> tuple[Plan, ...]:
    """The plans, in order: with late replicas where nothing stands in for them, beside a hedge where something does."""
    late = [replaceable(ask, at.late) for ask, at in zip(asks, situations, strict=True)]
    if not any(late):
        return _allocated(asks, situations, inventory)
    sure = [without_late(ask, one) for ask, one in zip(asks, late, strict=True)]
    hedged = _allocated(sure, situations, left_for_others(inventory, asks, late))
    short = any(one and not plan.feasible for one, plan in zip(late, hedged, strict=True))
    credited = _allocated(asks, situations, inventory) if short else hedged
    free = free_gpus(asks, hedged, inventory)
    hedged = tuple(with_minima(ask, plan, one, free) for ask, plan, one in zip(asks, hedged, late, strict=True))
    return tuple(
        with_late(ask, first, plan, one, free) if one else plan
        for ask, first, plan, one in zip(asks, credited, hedged, late, strict=True)
    )


def _allocated(asks: Sequence[Ask], situations: Sequence[Situation], inventory: Inventory) -> tuple[Plan, ...]:
    learned = [at.learned for at in situations]
    tried = with_trials(asks, learned, inventory)
    plans = with_headroom(tried, allocate(tried, inventory), inventory)
    if any(plan.trial for plan in _named(tried, plans)) and not all(plan.feasible for plan in plans):
        # Where anybody is short, nobody is tried for what it may save later.
        tried = with_trials(asks, learned, inventory, hope=False)
        plans = with_headroom(tried, allocate(tried, inventory), inventory)
    return _named(tried, plans)


def _named(tried: Sequence[Ask], plans: Sequence[Plan]) -> tuple[Plan, ...]:
    return tuple(replace(plan, trial=trial_words(ask, plan)) for ask, plan in zip(tried, plans, strict=True))
