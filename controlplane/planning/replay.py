"""Recorded ticks through the same planning code: does it still decide what it decided?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.domain.decision import GroupInputs, GroupOutcome, Memory, Tick
from controlplane.planning.decision import PLANNER_VERSION, decide
from controlplane.planning.memory import settled
from controlplane.planning.rounding import rounded_plan


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """One recorded tick, replayed. `difference` is empty where plan and decision are the same to the last digit."""

    tick_id: str
    target: str
    at_s: float
    same_version: bool
    difference: str

    @property
    def reproduced(self) -> bool:
        """Whether the record was met exactly."""
        return not self.difference


def group_inputs(ticks: Sequence[Tick]) -> GroupInputs:
    """The decider's inputs as the ticks of one `group_tick_id` recorded them."""
    ordered = sorted(ticks, key=lambda tick: tick.inputs.target.key)
    first = ordered[0]
    return GroupInputs(
        group=first.group,
        now_s=first.at_s,
        targets=tuple(tick.inputs for tick in ordered),
        inventory=first.inventory,
        spool_writable=first.spool_writable,
    )


def replay_group(ticks: Sequence[Tick]) -> list[ReplayResult]:
    """Decide again what the ticks of one `group_tick_id` decided, and compare, in the order of the targets' keys.

    Raises:
        ValueError: if there are no ticks, or they are not of one group tick.
    """
    if len({tick.group_tick_id for tick in ticks}) != 1:
        raise ValueError(f"ticks are of {len({t.group_tick_id for t in ticks})} group ticks; allowed: exactly one")
    ordered = sorted(ticks, key=lambda tick: tick.inputs.target.key)
    outcome = decide(group_inputs(ordered))
    return [_compare(tick, outcome, place) for place, tick in enumerate(ordered)]


def memories_after(ticks: Sequence[Tick]) -> dict[str, Memory]:
    """What the decider remembered after each target's tick, by target key: decided again, since it is not recorded.
    Changes that came to nothing are left out."""
    together: dict[str, list[Tick]] = defaultdict(list)
    for tick in ticks:
        together[tick.group_tick_id].append(tick)
    found: dict[str, Memory] = {}
    for group in together.values():
        inputs = group_inputs(group)
        for one, memory in zip(inputs.targets, decide(inputs).memories, strict=True):
            done = next(tick for tick in group if tick.inputs.target.key == one.target.key)
            found[one.target.key] = settled(memory, done.at_s, done.actuations)
    return found


def _compare(tick: Tick, outcome: GroupOutcome, place: int) -> ReplayResult:
    differences = []
    if outcome.decisions[place] != tick.decision:
        differences.append(f"decided {outcome.decisions[place].reason!r}, recorded {tick.decision.reason!r}")
    if outcome.plans[place] != rounded_plan(tick.plan):  # versions before recorded more digits
        differences.append("the plan differs")
    same_version = tick.planner_version == PLANNER_VERSION
    return ReplayResult(tick.id, tick.inputs.target.key, tick.at_s, same_version, "; ".join(differences))
